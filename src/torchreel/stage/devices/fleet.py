"""The models of a cell on several devices: which step builds each, and which moves it."""

from __future__ import annotations

from torchreel.records import ModuleCall, Step, Trace
from torchreel.spelling import bare_name

_MOVES = {"to", "cuda", "cpu"}


class Fleet:
    """The models with matrices that a variable holds, by the numbers of their roots."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._own: dict[int, list[int]] = {}
        for module in trace.modules:
            root = self.root_of(module.number)
            self._own.setdefault(root, []).extend(module.parameters.values())
        self._models = [each for each in self._own if self._name(each) and self._matrices(each)]
        self._builders: dict[int, int] = {}
        self._movers: dict[int, int] = {}
        self._moves: dict[int, list[tuple[Step, list[int]]]] = {}
        self._owners = {tensor: each for each in self._models for tensor in self._own[each]}
        for step in trace.steps:
            self._look_at(step)

    @property
    def names(self) -> list[str]:
        """The names of the models, in the order in which they were first seen."""
        return list(dict.fromkeys(self._name(each) for each in self._models))

    def knows(self, model: int) -> bool:
        """Tell whether a module is a model that is drawn."""
        return model in self._models

    def there(self, step: Step) -> list[int]:
        """Return the models that are there before a step of the cell: of one name, the last."""
        later = {model for at, model in self._builders.items() if at >= step.number}
        return list({self._name(each): each for each in self._models if each not in later}.values())

    def owns(self, tensor: int) -> bool:
        """Tell whether a tensor is a parameter, or was one before its model moved."""
        return tensor in self._owners or bool(self.trace.tensor(tensor).name)

    def used(self, step: Step, call: ModuleCall | None) -> int | None:
        """Return the model that a step builds or moves, or that it runs in a ``call`` of."""
        if call is not None:
            root = self.root_of(call.module)
            return root if self.knows(root) else None
        return self.built(step) if self.moved(step) is None else self.moved(step)

    def root_of(self, module: int) -> int:
        """Return the root of a module's tree."""
        at = self.trace.modules[module]
        while at.parent is not None:
            at = self.trace.modules[at.parent]
        return at.number

    def built(self, step: Step) -> int | None:
        """Return the model that is all there after a step, and was not before it."""
        return self._builders.get(step.number)

    def moved(self, step: Step) -> int | None:
        """Return the model that a step moves with all its tree."""
        return self._movers.get(step.number)

    def weights(self, model: int, step: Step) -> list[int]:
        """Return the matrices of a model, as they are before a step: those that its last move made,
        or that its next one takes."""
        moves = self._moves.get(model, [])
        made = [each.results for each, _ in moves if each.number < step.number]
        taken = [used for each, used in moves if each.number >= step.number]
        met = [*made[-1:], *taken][:1] or [self._own[model]]
        return [each for each in met[0] if self._is_matrix(each)] or self._matrices(model)

    def _name(self, model: int) -> str:
        return self.trace.modules[model].name

    def _is_matrix(self, tensor: int) -> bool:
        return len(self.trace.tensor(tensor).shape) > 1

    def _matrices(self, model: int) -> list[int]:
        return [each for each in self._own[model] if self._is_matrix(each)]

    def _look_at(self, step: Step) -> None:
        used = [each.tensor for each in step.operands if each.tensor is not None]
        if moves_module(step):
            model = self._mover(used)
            if model is not None:
                self._movers[step.number] = model
                self._moves.setdefault(model, []).append((step, used))
                self._owners |= dict.fromkeys((*used, *step.results), model)
        elif step.call is None and not used:
            for model in {self._owners[each] for each in step.results if each in self._owners}:
                earlier = [at for at, other in self._builders.items() if other == model]
                for each in earlier:  # its parts were built one after the other
                    del self._builders[each]
                self._builders[step.number] = model

    def _mover(self, used: list[int]) -> int | None:
        """Return the model that has all of these tensors and no other parameters; by their shapes
        where none of them was met before."""
        shapes = [self.trace.tensor(each).shape for each in used]
        known = {self._owners[each] for each in used if each in self._owners}
        for model in reversed(self._models):
            own = [self.trace.tensor(each).shape for each in self._own[model]]
            if (model in known or not known) and all(shapes.count(x) >= own.count(x) for x in own):
                return model
        return None


def is_move(step: Step) -> bool:
    """Tell whether a step is a tensor's move to a device, or would be one."""
    return bare_name(step.op) in _MOVES and not moves_module(step)


def moves_module(step: Step) -> bool:
    """Tell whether a step is a module's own move to a device."""
    return step.op.startswith("torch.nn.Module.") and bare_name(step.op) in _MOVES
