"""Threads, levels, fork, and living in one process with other libraries."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ictus
from ictus.kernels import gemm

WORK = """
import numpy as np, ictus
from ictus.kernels import gemm
a = np.random.default_rng(0).standard_normal((300, 700)).astype("f4")
b = np.random.default_rng(1).standard_normal((700, 500)).astype("f4")
expected = a.astype("f8") @ b
def check():
    assert np.abs(gemm(a, b) - expected).max() < 1e-2
"""


def python(script, timeout=120, **environment):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.strip()


class TestThreadCount:
    @pytest.mark.usefixtures("keep_threads")
    def test_set_and_refused(self):
        ictus.set_num_threads(3)
        assert ictus.num_threads() == 3
        for wrong in (0, -1, 257):
            with pytest.raises(ValueError, match=rf"threads must be in 1 .. 256, got {wrong}"):
                ictus.set_num_threads(wrong)
        with pytest.raises(TypeError):
            ictus.set_num_threads(1.5)
        assert ictus.num_threads() == 3

    def test_environment(self):
        show = "import ictus; print(ictus.num_threads())"
        assert python(show, ICTUS_NUM_THREADS="5", OMP_NUM_THREADS="1") == "5"
        assert python(show, OMP_NUM_THREADS="1", ICTUS_NUM_THREADS="") == "1"
        assert int(python(show, ICTUS_NUM_THREADS="9999")) == 256

    @pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
    def test_affinity(self):
        script = """
        import os
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        import ictus
        print(ictus.num_threads())
        """
        assert python(script, ICTUS_NUM_THREADS="", OMP_NUM_THREADS="") == "1"

    def test_threadpoolctl_finds_and_limits_the_pool(self):
        threadpoolctl = pytest.importorskip("threadpoolctl")
        ictus.register_threadpool_controller()
        found = [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "ictus"]
        assert len(found) == 1
        before = ictus.num_threads()
        with threadpoolctl.threadpool_limits(1, user_api="ictus"):
            assert ictus.num_threads() == 1
        assert ictus.num_threads() == before


class TestProcesses:
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_forked_child_computes(self):
        script = (
            WORK
            + """
import os, warnings
warnings.simplefilter("ignore")
ictus.set_num_threads(2)
for _ in range(5):
    check()
for _ in range(20):
    child = os.fork()
    if child == 0:
        check(); ictus.set_num_threads(3); check()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    check()
print("ok")
"""
        )
        assert python(script, timeout=60) == "ok"

    def test_fork_while_other_threads_compute(self):
        script = (
            WORK
            + """
import os, threading, warnings
warnings.simplefilter("ignore")
ictus.set_num_threads(2)
stop = threading.Event()
def loop():
    while not stop.is_set():
        check()
threads = [threading.Thread(target=loop, daemon=True) for _ in range(2)]
for t in threads: t.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        check()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for t in threads: t.join()
print("ok")
"""
        )
        assert python(script, timeout=60) == "ok"

    @pytest.mark.parametrize("other", ["torch", "sklearn.linear_model", "faiss", "onnxruntime"])
    @pytest.mark.parametrize("first", [True, False])
    def test_beside_other_libraries(self, other, first):
        pytest.importorskip(other.split(".")[0])
        parts = [WORK, f"\nimport {other}\n"]
        script = "".join(parts if first else reversed(parts)) + "\ncheck(); print('ok')"
        assert python(script) == "ok"

    @pytest.mark.parametrize("before", ["", "import ictus"])
    def test_subinterpreters_are_refused(self, before):
        name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
        pytest.importorskip(name)
        inner = f"""
import sys
sys.path[:0] = {sys.path!r}
try:
    import ictus
except ImportError as error:
    print(error, flush=True)
"""
        script = f"""
{before}
import {name} as interpreters
number = interpreters.create()
interpreters.run_string(number, {inner!r})
interpreters.destroy(number)
import numpy as np
from ictus.kernels import gemm
assert gemm(np.ones((50, 60), "f4"), np.ones((60, 70), "f4")).min() == 60
"""
        assert python(script).startswith("ictus cannot be imported in a subinterpreter")

    def test_interpreter_ends_while_workers_sleep(self):
        assert python(WORK + "\nictus.set_num_threads(4); check(); print('ok')") == "ok"

    def test_import_leaves_denormals_alone(self):
        script = """
        import numpy as np
        import ictus
        from ictus.kernels import gemm
        gemm(np.ones((50, 50), "f4"), np.ones((50, 50), "f4"))
        tiny = np.float32(1e-40)
        print(tiny * np.float32(0.5) > 0)
        """
        assert python(script) == "True"


class TestConcurrentCalls:
    @pytest.mark.usefixtures("keep_threads")
    def test_several_python_threads_at_once(self):
        ictus.set_num_threads(2)
        generator = np.random.default_rng(0)
        shapes = [(100, 784, 500), (3, 5, 7), (64, 64, 64), (300, 900, 200)]
        operands = [
            (
                generator.standard_normal((m, k)).astype(np.float32),
                generator.standard_normal((k, n)).astype(np.float32),
            )
            for m, k, n in shapes
        ]
        expected = [gemm(a, b, activation="tanh") for a, b in operands]
        barrier = threading.Barrier(6)

        def work(number):
            barrier.wait()
            for i in range(40):
                a, b = operands[(number + i) % 4]
                result = gemm(a, b, activation="tanh")
                np.testing.assert_array_equal(result, expected[(number + i) % 4])
            return True

        with ThreadPoolExecutor(6) as executor:
            assert all(executor.map(work, range(6)))


class TestLevels:
    @pytest.mark.parametrize("level", ictus.instruction_sets())
    def test_forced_by_the_environment(self, level):
        script = WORK + "\ncheck(); print(ictus.instruction_set())"
        assert python(script, ICTUS_ISA=level) == level

    def test_unknown_level(self):
        with pytest.raises(ValueError, match=r"must be one of baseline.* on this machine, got mmx"):
            ictus.set_instruction_set("mmx")
        result = subprocess.run(
            [sys.executable, "-c", "import ictus"],
            capture_output=True,
            text=True,
            env={**os.environ, "ICTUS_ISA": "mmx"},
        )
        assert result.returncode != 0
        assert "ICTUS_ISA must be one of baseline" in result.stderr


def test_import_is_light():
    script = """
    import sys, ictus
    heavy = {"scipy", "sklearn", "matplotlib", "safetensors", "tqdm", "pandas", "torch"}
    print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
    """
    assert python(script) == "[]"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'ictus' has no attribute 'MLPClasifier'"):
        _ = ictus.MLPClasifier
    for name in ictus.__all__:
        assert getattr(ictus, name) is not None
