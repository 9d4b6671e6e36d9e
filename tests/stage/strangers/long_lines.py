import torch

torch.manual_seed(3)
a_name_that_nobody_would_like_to_type = torch.rand(2, 3)
another_quite_long_name_for_a_matrix = torch.rand(3, 2)
the_product_of_the_two_matrices_above = a_name_that_nobody_would_like_to_type @ another_quite_long_name_for_a_matrix
y = ((the_product_of_the_two_matrices_above - the_product_of_the_two_matrices_above.mean()) ** 2).sum().sqrt()
