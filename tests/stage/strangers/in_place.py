import torch

board = torch.zeros(4, 4, dtype=torch.int64)
board[0] = 1
board[:, 2] += 5
view = board[1:3, 1:3]
view.fill_(9)
board.diagonal().mul_(10)
board[board > 50] = -1
