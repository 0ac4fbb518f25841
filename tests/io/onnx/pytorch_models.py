"""Makes the files in tests/io/onnx/pytorch: models as PyTorch's two exporters write them.

Run by hand, with torch, onnx and onnxscript: ``python -m tests.io.onnx.pytorch_models``. Texts that
describe the machine are taken out of the files; nothing else is changed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("pytorch")


def models():
    """Name, module, input, and the axes of any size."""
    import torch
    from torch import nn

    class Blstm(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 3)

        def forward(self, x):
            return torch.sigmoid(self.head(self.rnn(x)[0]))

    torch.manual_seed(0)
    mlp = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4), nn.Softmax(dim=1)
    )
    cnn = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 3, (2, 3)), nn.Tanh(), nn.BatchNorm2d(3), nn.AvgPool2d(2, padding=1,
                                                                            count_include_pad=False),
        nn.Flatten(), nn.Linear(18, 5),
    )  # fmt: skip
    images = torch.randn(30, 1, 12, 10)
    cnn.train()(images)  # running statistics that are not the initial ones
    yield "mlp", mlp, torch.randn(5, 8), (0,)
    yield "cnn", cnn, images[:3], (0,)
    yield "blstm", Blstm(), torch.randn(2, 7, 6), (0, 1)


def main():
    """Write the files."""
    import onnx
    import torch

    expected = {}
    for name, model, x, axes in models():
        model.eval()
        with torch.no_grad():
            expected |= {f"{name}_x": x.numpy(), f"{name}_y": model(x).numpy()}
        for dynamo in (False, True):
            sizes = {"dynamic_axes": {"x": {i: f"axis{i}" for i in axes}}}
            if dynamo:
                sizes = {"dynamic_shapes": ({i: torch.export.Dim.DYNAMIC for i in axes},)}
            path = FOLDER / f"{name}_{'dynamo' if dynamo else 'script'}.onnx"
            torch.onnx.export(model, (x,), path, input_names=["x"], dynamo=dynamo, **sizes)
            file = onnx.load(path, load_external_data=False)
            parts = [file, file.graph, *file.graph.node, *file.graph.initializer]
            parts += [*file.graph.value_info, *file.graph.input, *file.graph.output]
            for part in parts:
                if hasattr(part, "metadata_props"):
                    del part.metadata_props[:]
                part.doc_string = ""
            onnx.save(file, path)
    np.savez_compressed(FOLDER / "expected.npz", **expected)


if __name__ == "__main__":
    main()
