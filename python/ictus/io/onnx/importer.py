"""From a chain of ONNX operators to a network: nodes become layers, one after the other.

What does not depend on the input is computed at once: constants, and shapes. Axes of any size get
a prime number as their size meanwhile, so that shapes computed from them tell which is which.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.axes import Axes, Part
from ictus.io.onnx.graph import check_known
from ictus.io.onnx.operators import OPERATORS
from ictus.io.onnx.operators.call import refuse
from ictus.io.onnx.operators.shape import bounded
from ictus.io.onnx.proto import Model, Node, OnnxError, Tensor
from ictus.nn import Layer
from ictus.nn.layer import Shape

Array = NDArray[Any]

#: Sizes that stand for any: of the batch, and of axes of the examples.
BATCH, ANY = 10_007, (1_009, 1_013, 1_019, 1_021, 1_031, 1_033, 1_039)
#: Operators whose results are views of constants, and those that make new constants.
VIEWS = {"Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Expand",
         "Constant", "ConstantOfShape"}  # fmt: skip
BROADCASTS = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Greater", "Less",
              "Neg", "Abs", "Sqrt", "Exp", "Log", "Cast", "Clip", "Relu"}  # fmt: skip
REDUCTIONS = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"}
#: Bytes that a file's constants may take beyond its size.
SPARE = 1 << 20


@dataclass(slots=True)
class Planned:
    """A layer to be: its class, arguments, and what fills its parameters.

    Attributes
    ----------
    weights, bias : array or None
        In our order; of what `fill` does not know.
    fill : callable or None
        Takes the views of parameters and state.
    """

    node: Node
    kind: type[Layer]
    arguments: dict[str, Any]
    fill: Callable[[Sequence[Array]], None] | None = None
    bias: Array | None = None

    def layer(self) -> Layer:
        """Make the layer; a wrong argument names the node."""
        try:
            return self.kind(**self.arguments)
        except (ValueError, TypeError) as error:
            raise refuse(self.node, str(error)) from None


class Importer:
    """Walks through the nodes of a model; the handlers of operators call its methods.

    Attributes
    ----------
    shape : tuple or None
        Of an example, where the chain stands, as our layers see it; None before the first layer
        that tells.
    sequence : bool
        Whether the network is one of sequences.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.opset = model, model.opset
        self.planned: list[Planned] = []
        self.shape: Shape | None = None
        self.sizes: tuple[int, ...] = ()  # the same with numbers for what may be any
        self.input_shape: Shape | None = None
        self.sequence = False
        self.symbols = False
        self.loss = "squared_error"
        self.constants = {name: _array(t) for name, t in model.initializers.items()}
        self._room = model.all_bytes + SPARE
        self.flows: dict[str, Axes] = {}
        self._used: set[str] = set()
        # Looking at a shape is no use of the tensor.
        self.uses = Counter(n for node in model.nodes if node.op != "Shape" for n in node.inputs)
        self.uses.update(value.name for value in model.outputs)
        self._begin()

    def _begin(self) -> None:
        inputs = [v for v in self.model.inputs if v.name not in self.constants]
        if len(inputs) != 1 or len(self.model.outputs) != 1:
            raise OnnxError(
                f"a network has one input and one output, the graph has {len(inputs)} and "
                f"{len(self.model.outputs)}: load_graph runs it as it is"
            )
        value = inputs[0]
        if not value.shape or len(value.shape) < 2:
            raise OnnxError(f"input {value.name!r} must have 2 axes or more, got {value.shape}")
        unknown = iter(ANY)
        parts = []
        for number, size in enumerate(value.shape):
            known = isinstance(size, int) and size > 0 and number > 0
            if isinstance(size, int) and size > 1 << 31:
                raise OnnxError(f"input {value.name!r} has the impossible shape {value.shape}")
            parts.append(Part(int(size) if known else (next(unknown) if number else BATCH), known))
        self.input_parts = parts
        self.flows[value.name] = Axes([(part,) for part in parts])
        self.input_type = value.data_type

    # --- nodes -----------------------------------------------------------------------------------

    def walk(self, handlers: dict[str, Callable[..., Axes]]) -> Axes:
        """Take all nodes; return the axes of the output.

        Raises
        ------
        OnnxError
            A node that no layer is; the message names it.
        """
        for node in self.model.nodes:
            names = [name for name in node.inputs if name in self.flows]
            if not names:
                self._constant(node)
            elif node.op == "Shape":
                self._shape(node)
            else:
                check_known(node)
                if len(names) > 1 or names[0] in self._used or node.op not in handlers:
                    raise refuse(node, self._why(node, names, handlers))
                self._used.add(names[0])
                axes = self.flows[names[0]]
                self._take(node, handlers[node.op](self, node, axes))
        last = self.model.outputs[0].name
        if last not in self.flows or last in self._used:
            raise OnnxError(f"output {last!r} is not the end of the chain")
        return self.flows[last]

    def _why(self, node: Node, names: list[str], handlers: dict[str, Any]) -> str:
        if node.op not in handlers:
            return f"no layer of ictus does what {node.op} does; load_graph runs the graph as it is"
        if len(names) > 1:
            return "it joins branches, a network is a chain; load_graph runs the graph as it is"
        return (
            f"its input {names[0]!r} is used twice, a network is a chain; load_graph runs the "
            "graph as it is"
        )

    def _take(self, node: Node, axes: Axes) -> None:
        """The one output that is used gets the axes."""
        used = [name for name in node.outputs if name and self.uses[name]]
        if len(used) > 1:
            raise refuse(node, "more than one of its outputs is used, a network is a chain")
        if used:
            self.flows[used[0]] = axes

    def _constant(self, node: Node) -> None:
        check_known(node)
        arrays = [self.constants.get(name) if name else None for name in node.inputs]
        if node.op == "ConstantOfShape":
            value = node.attributes.get("value")
            fill = value.array().reshape(-1)[:1] if isinstance(value, Tensor) else np.zeros(1)
            wanted = arrays[0]
            if wanted is None or fill.size != 1 or not 1 <= wanted.size <= 8:
                raise refuse(node, "makes no tensor")
            shape = bounded(node, [int(n) for n in wanted.reshape(-1)])
            result: Any = np.broadcast_to(fill[0], shape)
        else:
            self._check_room(node, [one for one in arrays if one is not None])
            try:
                result = OPERATORS[node.op](node, arrays, self.opset)
            except OnnxError:
                raise
            except (ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
                raise refuse(node, str(error)) from None
        outputs = result if isinstance(result, tuple) else (result,)
        for name, one in zip(node.outputs, outputs, strict=False):
            if one is not None:
                if node.op not in VIEWS:
                    self.made(node, one)
                self.constants[name] = one

    def _check_room(self, node: Node, arrays: list[Array]) -> None:
        """Refuse to compute a constant that is larger than there is room for."""
        try:
            if node.op in VIEWS or node.op in REDUCTIONS or node.op == "Shape":
                return
            if node.op in BROADCASTS:
                size = 8 * math.prod(np.broadcast_shapes(*(one.shape for one in arrays)))
            elif node.op == "Concat":
                size = sum(one.nbytes for one in arrays)
            elif node.op == "Gather":
                data, indices = arrays
                axis = data.shape[node.integer("axis", 0)]
                size = data.nbytes // max(axis, 1) * indices.size
            else:
                raise refuse(node, "it is computed of constants: load_graph runs it")
        except OnnxError:
            raise
        except (ValueError, IndexError):
            raise refuse(node, f"shapes {[one.shape for one in arrays]}") from None
        if size > self._room:
            raise refuse(node, "constants take more memory than the file has bytes")

    def made(self, node: Node, array: Array) -> Array:
        """Count the memory of a constant that was made, not found in the file; return it."""
        self._room -= array.nbytes
        if self._room < 0:
            raise refuse(node, "constants take more memory than the file has bytes")
        return array

    def _shape(self, node: Node) -> None:
        shape = self.flows[node.inputs[0]].shape
        end = node.attributes.get("end")
        values = np.array(shape[node.integer("start", 0) : end], np.int64)
        self.constants[node.outputs[0]] = values

    def constant(self, node: Node, number: int, name: str) -> Array | None:
        """Return a constant input of a node; None where it is missing.

        Raises
        ------
        OnnxError
            It is no constant.
        """
        if number >= len(node.inputs) or not node.inputs[number]:
            return None
        value = self.constants.get(node.inputs[number])
        if value is None:
            raise refuse(node, f"input {number} ({name}) must be a constant")
        return value

    def weights(self, node: Node, number: int, name: str) -> Array:
        """Return a constant input that must be there, as floats."""
        value = self.constant(node, number, name)
        if value is None:
            raise refuse(node, f"input {number} ({name}) is missing")
        if value.dtype.kind != "f":
            raise refuse(node, f"input {number} ({name}) must be floats, got {value.dtype}")
        return value

    # --- layers ----------------------------------------------------------------------------------

    def add(self, planned: Planned) -> Shape:
        """Append a layer; return the shape of its output."""
        assert self.shape is not None
        layer = planned.layer()
        try:
            self.shape = layer.connect_shape(self.shape)
            self.sizes = layer.output_shape(self.sizes)
        except ValueError as error:
            raise refuse(planned.node, str(error)) from None
        self.planned.append(planned)
        return self.shape

    def bind(self, node: Node, axes: Axes, labels: str) -> None:
        """Say what the axes of the input are, where nothing did so before.

        Parameters
        ----------
        node, axes
            The node that tells, and what it sees.
        labels : str
            One for each axis.
        """
        if self.shape is not None:
            return
        # What Unsqueeze has put there is no place of the input.
        own = [a for a in axes.axes if not a or any(p in self.input_parts for p in a)]
        if len(own) < len(axes.axes) == len(labels) == 4 and own == axes.axes[: len(own)]:
            labels, axes = {2: "nc", 3: "nct"}.get(len(own), "?"), Axes(own)
        if len(labels) != len(axes.axes):
            raise refuse(node, f"takes tensors of {len(labels)} axes, got {len(axes.axes)}")
        for axis, label in zip(axes.axes, labels, strict=True):
            if len(axis) != 1 and label != "c":
                raise refuse(node, "a reshaped input")
            for part in axis:
                part.label = label
        if axes.axes[labels.index("n")][0] is not self.input_parts[0] and not self.sequence:
            raise refuse(node, "the batch is not the input's first axis")
        channels = axes.axes[labels.index("c")]
        if len(channels) > 1:  # flattened: its order is that of our input
            size = int(np.prod([part.size for part in channels]))
            joined = Part(size, all(part.known for part in channels), "c")
            axes.axes[labels.index("c")] = (joined,)
        found = {label: axes.axes[i][0] for i, label in enumerate(labels)}
        places = [found[one] for one in "thw" if one in found and not self.sequence]
        if not found["c"].known:
            raise refuse(node, "the number of channels must be in the file")
        self.shape = (*(p.size if p.known else None for p in places), found["c"].size)
        self.sizes = (*(p.size for p in places), found["c"].size)
        self.input_shape = self.shape

    def bind_frames(self) -> None:
        """Say that the input is sequences of frames, where recurrent nodes follow.

        For nodes that could be ones of images as well.
        """
        recurrent = any(node.op in ("RNN", "LSTM", "GRU") for node in self.model.nodes)
        if self.shape is None and recurrent and len(self.input_parts) == 3:
            for part, label in zip(self.input_parts, "ntc", strict=True):
                part.label = label
            if self.input_parts[2].known:
                self.sequence = True
                self.shape = self.input_shape = self.sizes = (self.input_parts[2].size,)

    def check(self, node: Node, axes: Axes, labels: str) -> None:
        """Check that axes are what a layer takes, one part each."""
        if len(labels) != len(axes.axes):
            raise refuse(node, f"its input lies as {self.words(axes)}, it takes {labels}")
        for i, label in enumerate(labels):
            if axes.labels(i) not in (label, "") or (axes.labels(i) == "" and axes.shape[i] != 1):
                raise refuse(node, f"its input lies as {self.words(axes)}, it takes {labels}")

    @staticmethod
    def words(axes: Axes) -> str:
        """Axes for people."""
        return " ".join(axes.labels(i) or "1" for i in range(len(axes.axes)))


def _array(tensor: Tensor) -> Array:
    array = tensor.array()
    return array.astype(np.float32) if array.dtype == np.float16 else array
