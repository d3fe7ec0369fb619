"""Stands in for the package `spaces`, as a ZeroGPU Space has it.

Behaves as `spaces` 0.51.3 of PyPI as far as a page can tell (`zero/wrappers.py`, `zero/client.py`,
`zero/gradio.py` and `zero/torch/patching.py` of its source were read):

- `GPU` tells generator functions by themselves, and asks the duration with the call's arguments.
- Each call is a forked process. Its arguments and what it yields are pickled; what cannot be is the
  error "ZeroGPU worker error". The work runs in a thread of that process.
- The duration counts half as much again, as on the present card. A visitor, told by the header
  `X-IP-Token` of the request that the call is made in, is refused more than is left of the quota.
- What takes longer than that is killed, and the caller is told "GPU task aborted".
- A listener who has gone is noticed at the next yield.
- Before a call CUDA is there in name alone. Tensors that the thread of the import moves to it have
  no values once the page is launched, and real CUDA raises. In a call the values are there.
- A page that is launched without a function of `GPU` is refused.

What differs: the real package uses an idle process again, closes the server's sockets in it, and
asks a service; here each call has a new process, and the quota is kept here, of what calls took.

Environment: ZERO_GPU_LOG, a file that takes one JSON object a line; ZERO_GPU_LEFT, seconds of quota
(120); ZERO_GPU_TAKEN_BACK, seconds after which every call is killed (never before its time).
"""

import inspect
import io
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import wraps
from types import SimpleNamespace
from typing import Any

import gradio as gr
import torch
from gradio.context import LocalContext
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

FACTOR = 1.5
MEMORY = 50_986_975_232  # bytes, half of the card
_LOG, _KILLED = os.environ.get("ZERO_GPU_LOG"), os.environ.get("ZERO_GPU_TAKEN_BACK")
_fork = multiprocessing.get_context("fork")
_left: dict[str, float] = defaultdict(lambda: float(os.environ.get("ZERO_GPU_LEFT", "120")))
_forked = False
_decorated = 0


def _log(**said: Any) -> None:
    if _LOG:
        with open(_LOG, "a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")


def _error(title: str, message: str) -> gr.Error:
    return gr.Error(message, title=title, print_exception=False)


# CUDA in name ------------------------------------------------------------------------------------

if torch.cuda.is_initialized():
    raise RuntimeError("CUDA has been initialized before importing the `spaces` package.")

_on_gpu: Any = WeakTensorKeyDictionary()
_values: Any = WeakTensorKeyDictionary()


class _Emulated(TorchFunctionMode):
    """Moves nothing to a GPU, and remembers what was to be there."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == torch.Tensor.device.__get__ and args[0] in _on_gpu:
            return torch.device("cuda", 0)
        if func == torch.Tensor.data.__set__:
            func(*args, **kwargs)
            if args[1] in _on_gpu:
                _on_gpu[args[0]] = True
            return None
        if func == torch.Tensor.cuda:
            func, args = torch.Tensor.to, (args[0], torch.device("cuda"))
        moved = False
        if func == torch.Tensor.to and len(args) > 1:
            where = args[1]
            moved = isinstance(where, (str, torch.device)) and torch.device(where).type == "cuda"
            args = (args[0], torch.device("cpu"), *args[2:]) if moved else args
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cuda":
            moved, kwargs["device"] = True, torch.device("cpu")
        found = func(*args, **kwargs)
        if moved and isinstance(found, torch.Tensor):
            found = found.detach().clone() if found is args[0] else found
            _on_gpu[found] = True
        return found


def _never(*_: Any) -> None:
    raise RuntimeError("Low-level CUDA init (`torch._C._cuda_init`) reached.")


_REAL = {name: getattr(torch.cuda, name) for name in ("is_available", "device_count")}
_REAL |= {name: getattr(torch.cuda, name) for name in ("get_device_properties", "current_device")}
_mode = _Emulated()
_mode.__enter__()
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 1
torch.cuda.current_device = lambda: 0
torch.cuda.get_device_properties = lambda *_: SimpleNamespace(total_memory=MEMORY, major=12)
_real_init = getattr(torch._C, "_cuda_init", None)
torch._C._cuda_init = _never


def _pack() -> None:
    """Take the values out of whatever is to be on the GPU."""
    _mode.__exit__(None, None, None)
    for tensor in list(_on_gpu):
        _values[tensor] = tensor.data
        tensor.data = torch.full_like(
            tensor.data, float("nan") if tensor.is_floating_point() else 0
        )
    _mode.__enter__()
    _log(packed=len(_values))


def _unpack() -> None:
    for name, real in _REAL.items():
        setattr(torch.cuda, name, real)
    if _real_init is None:
        del torch._C._cuda_init
    else:
        torch._C._cuda_init = _real_init
    for tensor, values in _values.items():
        tensor.data = values


_launch = gr.Blocks.launch


@wraps(_launch)
def _launched(*arguments: Any, **options: Any) -> Any:
    if not _decorated:
        raise RuntimeError("No @spaces.GPU function detected during startup")
    _pack()
    gr.Blocks.launch = _launch
    return _launch(*arguments, **options)


gr.Blocks.launch = _launched


# Lending -----------------------------------------------------------------------------------------


def GPU(task: Any = None, *, duration: Any = None, size: Any = None) -> Any:  # noqa: N802
    """Return what calls a generator function while a GPU is lent."""
    global _decorated
    if task is None:
        return lambda given: GPU(given, duration=duration, size=size)
    if not inspect.isgeneratorfunction(task):
        raise NotImplementedError("The page lends the GPU to generator functions alone.")
    _decorated += 1

    @wraps(task)
    def lent(*arguments: Any) -> Any:
        if _forked:
            yield from task(*arguments)
            return
        asked = duration(*arguments) if callable(duration) else duration or 60
        counted, token = round(asked * FACTOR), _token()
        _schedule(asked, counted, token)
        began, loan = time.monotonic(), _Loan(task, arguments, counted)
        try:
            yield from loan.results()
        finally:
            taken = time.monotonic() - began
            _left[token or ""] -= taken
            _log(asked=asked, counted=counted, taken=taken, outcome=loan.outcome, **loan.told())

    return lent


def _token() -> str | None:
    request = LocalContext.request.get(None)
    return None if request is None else request.headers.get("x-ip-token")


def _schedule(asked: int, counted: int, token: str | None) -> None:
    left = round(_left[token or ""])
    if counted <= left:
        return
    _log(asked=asked, counted=counted, outcome="refused")
    if token is None:
        raise _error(
            "ZeroGPU quota exceeded",
            "Space app has reached its GPU limit. Try re-running outside of examples if it "
            "happened after clicking one",
        )
    raise _error(
        "ZeroGPU quota exceeded",
        f"You have exceeded your ZeroGPU quota ({counted}s requested vs. {left}s left). "
        "Try again in 23:59:00. ",
    )


class _Classes(pickle.Unpickler):
    """Reads a pickle, and remembers the modules of its classes."""

    def __init__(self, content: bytes, modules: set[str]) -> None:
        super().__init__(io.BytesIO(content))
        self._modules = modules

    def find_class(self, module: str, name: str) -> Any:
        self._modules.add(module)
        return super().find_class(module, name)


class _Loan:
    """One call, in a process of its own."""

    def __init__(self, task: Any, arguments: tuple[Any, ...], seconds: float) -> None:
        self.outcome, self._crossed, self._imported = "gone", set[str](), list[str]()
        self._asked, self._answers = _fork.SimpleQueue(), _fork.SimpleQueue()
        self._stop = _fork.Event()
        self._process = _fork.Process(
            target=self._run, args=(task, sorted(sys.modules)), daemon=True
        )
        self._process.start()
        self._asked.put(pickle.dumps(arguments))
        seconds = min(seconds, float(_KILLED)) if _KILLED else seconds
        self._over = threading.Event()
        for watch in (self._close, lambda: self._over.wait(seconds) or self._process.kill()):
            threading.Thread(target=watch, daemon=True).start()

    def told(self) -> dict[str, Any]:
        return {"crossed": sorted(self._crossed), "imported": self._imported}

    def results(self) -> Any:
        with ThreadPoolExecutor(1) as pool:
            while True:
                kind, content = pool.submit(self._answers.get).result()
                if kind == "aborted":
                    self.outcome = "aborted"
                    raise _error("ZeroGPU worker error", "GPU task aborted")
                if kind == "failed":
                    self.outcome = content
                    raise _error("ZeroGPU worker error", content)
                if kind == "ended":
                    self.outcome, self._imported = "ended", content
                    self._over.set()
                    return
                try:
                    yield _Classes(content, self._crossed).load()
                except GeneratorExit:
                    self._stop.set()
                    while kind not in ("ended", "failed", "aborted"):
                        kind, _ = self._answers.get()
                    self._over.set()
                    raise

    def _close(self) -> None:
        self._process.join()
        self._over.set()
        with suppress(ValueError):
            self._answers._wlock.release()  # which a process that was killed may hold
        self._answers.put(("aborted", None))

    def _run(self, task: Any, before: list[str]) -> None:
        global _forked
        _forked = True
        signal.signal(signal.SIGTERM, lambda *_: self._asked.close())
        arguments = pickle.loads(self._asked.get())
        _unpack()

        def iterate() -> None:
            answers = task(*arguments)
            for answer in answers:
                if self._stop.is_set():
                    answers.close()
                    break
                try:
                    content = pickle.dumps(answer)
                except Exception as error:
                    return self._answers.put(("failed", type(error).__name__))
                self._answers.put(("answer", content))
            imported = sorted(set(sys.modules) - set(before))
            self._answers.put(("ended", imported))

        def guarded() -> None:
            try:
                iterate()
            except Exception as error:
                self._answers.put(("failed", type(error).__name__))

        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, guarded)
