"""The models of a cell on several devices: which step builds each, and which moves it."""

from __future__ import annotations

from torchreel.records import Step, Trace
from torchreel.spelling import bare_name

MOVES = {"to", "cuda", "cpu"}


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
        self._met: dict[int, list[int]] = {}
        self._owners = {tensor: each for each in self._models for tensor in self._own[each]}
        for step in trace.steps:
            self._look_at(step)

    @property
    def names(self) -> list[str]:
        """The names of the models, in the order in which they were first seen."""
        return list(dict.fromkeys(self._name(each) for each in self._models))

    @property
    def there(self) -> list[int]:
        """The models that are there before the cell: of one name, the last."""
        built = set(self._builders.values())
        old = {self._name(each): each for each in self._models if each not in built}
        return list(old.values())

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

    def weights(self, model: int) -> list[int]:
        """Return the matrices of a model, as the cell met them."""
        met = [each for each in self._met.get(model, []) if self._is_matrix(each)]
        return met or self._matrices(model)

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
                self._met.setdefault(model, used)
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


def moves_module(step: Step) -> bool:
    """Tell whether a step is a module's own move to a device."""
    return step.op.startswith("torch.nn.Module.") and bare_name(step.op) in MOVES
