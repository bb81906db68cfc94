"""Serve a classifier over HTTP with FastAPI.

    pip install fastapi python-multipart uvicorn
    # in a checkout; for a copy elsewhere, give its folder to --app-dir
    SKDAF_MODEL=model.skops uvicorn --app-dir examples serve_fastapi:app
    curl -F file=@clip.wav http://127.0.0.1:8000/predict

The page "Serving" of the user guide explains it.
"""

import os
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import skdaf


def limit(name: str, default: int) -> int:
    """Return a limit, which an environment variable can change."""
    text = os.environ.get(name, str(default))
    if not (text.isdecimal() and int(text) > 0):
        raise ValueError(f"{name}={text!r}: expected a whole number above 0.")
    return int(text)


MODEL = os.environ.get("SKDAF_MODEL", "model.skops")

# Limits of an upload, of a clip for /predict, and of a recording for /segments and
# all of its windows together.
MAX_BYTES = limit("SKDAF_MAX_BYTES", 20_000_000)
MAX_CLIP = limit("SKDAF_MAX_CLIP_SECONDS", 60)
MAX_RECORDING = limit("SKDAF_MAX_RECORDING_SECONDS", 3600)
MAX_WINDOWS = limit("SKDAF_MAX_WINDOW_SECONDS", 36_000)

# Requests that are computed at the same time, and those that may be in progress in
# total, including uploads that are still arriving and those that wait for a thread.
N_THREADS = limit("SKDAF_THREADS", 8)
MAX_REQUESTS = limit("SKDAF_MAX_REQUESTS", 64)


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Load the model once; all threads share it."""
    app.state.model = load_classifier()
    # The default window, as in predict_segments.
    app.state.clip_length = skdaf.clip_length(app.state.model) or 1.0
    anyio.to_thread.current_default_thread_limiter().total_tokens = N_THREADS
    yield


def load_classifier() -> Any:
    """Return the model, if the endpoints can use it."""
    model = skdaf.load_model(MODEL)
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise ValueError(
            f"SKDAF_MODEL={MODEL!r} contains a {type(model).__name__} that is not "
            "fitted: call its fit before save_model."
        ) from None
    if not hasattr(model, "predict_proba") or getattr(model, "multilabel_", False):
        raise ValueError(
            f"SKDAF_MODEL={MODEL!r} contains a {type(model).__name__}: expected a "
            "classifier with probabilities and one label per clip."
        )
    if hasattr(model, "feature_names_in_"):
        # A ColumnTransformer, for example, takes numbers beside the recordings.
        columns = ", ".join(map(repr, model.feature_names_in_))
        raise ValueError(
            f"SKDAF_MODEL={MODEL!r} expects a table with the columns {columns}; "
            "the endpoints need a model that takes recordings only."
        )
    return model


class UploadLimits:
    """Refuse uploads beyond the limits, before they are stored.

    The body is counted while it arrives: its declared length proves nothing.
    """

    def __init__(self, app):
        self.app, self.n_requests = app, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif self.n_requests >= MAX_REQUESTS:
            detail = {
                "detail": "Too many requests are in progress: try again later."
            }
            busy = JSONResponse(detail, 503, {"Retry-After": "1"})
            await busy(scope, receive, send)
        else:
            self.n_requests += 1
            try:
                await self.app(scope, count_bytes(receive), send)
            finally:
                self.n_requests -= 1


def count_bytes(receive):
    """Return a `receive` that raises an error when a body becomes too large."""
    n_bytes = 0

    async def receive_and_count():
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > MAX_BYTES:
            raise HTTPException(413, f"The upload has more than {MAX_BYTES} bytes.")
        return message

    return receive_and_count


app = FastAPI(title="skdaf", lifespan=lifespan)
app.add_middleware(UploadLimits)


@app.exception_handler(skdaf.AudioReadError)
async def refuse_unreadable_audio(request: Request, error: skdaf.AudioReadError):
    # The message names the upload as the client did, not a file on this machine.
    return JSONResponse({"detail": str(error)}, 422)


@app.exception_handler(RequestValidationError)
async def refuse_invalid_request(request: Request, error: RequestValidationError):
    # FastAPI's own answer has no sentence, and would repeat the upload.
    problem = error.errors()[0]
    name, message = problem["loc"][-1], problem["msg"]
    if name == "file":
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        message = "expected a file with a name in this field of a form, got "
        message += sent(error, kind)
    return JSONResponse({"detail": f"{name}: {message}."}, 422)


def sent(error: RequestValidationError, kind: str) -> str:
    """Return what a request had instead of a file in a form, without any values."""
    if not kind:
        return "no form"
    if kind.lower() != "multipart/form-data":
        # It has no names of fields, only pieces of what may be a recording.
        return f"a body of type {kind[:60]!r}"
    fields = [repr(name[:40]) for name in list(error.body or ())[:5]]
    if "'file'" in fields:
        return "text, or a file without a name"
    return ", ".join(fields) or "an empty form"


@app.exception_handler(Exception)
async def answer_after_failure(request: Request, error: Exception):
    # The client gets no details; the server prints the traceback to its log.
    detail = "The server failed to answer this request: its log says why."
    return JSONResponse({"detail": detail}, 500)


async def only_file(request: Request, file: UploadFile) -> UploadFile:
    """Return the upload; refuse several, and fields that FastAPI would ignore."""
    form = await request.form()
    if len(form.getlist("file")) > 1:
        raise HTTPException(422, "file: expected one file, got several.")
    for name in form:
        if name != "file":
            problem = "unknown field of the form, expected only 'file'. Parameters "
            problem += "belong into the URL, as in /segments?window=1."
            raise HTTPException(422, f"{name[:40]}: {problem}")
    return file


Upload = Annotated[UploadFile, Depends(only_file)]


def only_parameters(*valid: str) -> Any:
    """Return a dependency that refuses query parameters with other names.

    FastAPI would ignore them.
    """

    async def refuse_others(request: Request) -> None:
        for name in request.query_params:
            if name not in valid:
                expected = " or ".join(valid) or "no parameters"
                problem = f"unknown query parameter, expected {expected}."
                raise HTTPException(422, f"{name[:40]}: {problem}")

    return Depends(refuse_others)


# Endpoints that compute are plain functions: FastAPI runs them in threads, so that
# the others, which are coroutines, answer at any time.


@app.post("/predict", dependencies=[only_parameters()])
def predict(request: Request, file: Upload) -> dict[str, Any]:
    """Return the class of a clip, and the probability of each class."""
    model, upload = request.app.state.model, upload_of(file)
    refuse_if_longer(upload, MAX_CLIP)
    [probabilities] = model.predict_proba([upload]).tolist()
    by_class = dict(zip(map(str, model.classes_), probabilities, strict=True))
    return {"label": max(by_class, key=by_class.get), "probabilities": by_class}


@app.post("/segments", dependencies=[only_parameters("window", "step")])
def segments(
    request: Request,
    file: Upload,
    window: Annotated[float | None, Query(ge=0.1, le=60)] = None,
    step: Annotated[float | None, Query(ge=0.1, le=60)] = None,
) -> dict[str, Any]:
    """Return the class of each window of a recording; times are in seconds."""
    model, upload = request.app.state.model, upload_of(file)
    window = request.app.state.clip_length if window is None else window
    refuse_if_longer(upload, MAX_RECORDING)
    refuse_if_windows_are_longer(upload, window, window if step is None else step)
    rows = skdaf.predict_segments(model, upload, window=window, step=step)
    return {"segments": rows.to_dict("records")}


@app.get("/model")
async def describe_model(request: Request) -> dict[str, Any]:
    model = request.app.state.model
    frontend = getattr(model, "frontend_", None)
    return {
        "classes": [str(label) for label in model.classes_],
        "sampling_rate": getattr(frontend, "sampling_rate_", None),
        "clip_length": request.app.state.clip_length,
        "version": skdaf.__version__,
    }


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


def upload_of(file: UploadFile) -> dict[str, Any]:
    """Return the content of an upload, with its name for messages."""
    return {"path": file.filename or "upload", "bytes": file.file.read()}


def refuse_if_longer(upload: dict[str, Any], seconds: int) -> None:
    """Raise an error if a recording is longer than a limit."""
    if has_samples_after(upload, seconds):
        raise HTTPException(413, f"The recording is longer than {seconds} s.")


def refuse_if_windows_are_longer(
    upload: dict[str, Any], window: float, step: float
) -> None:
    """Raise an error if the windows of a recording exceed their limit together."""
    # One window is always allowed: its own length is limited.
    n_windows = max(1, int(MAX_WINDOWS / window))
    if has_samples_after(upload, window + (n_windows - 1) * step):
        raise HTTPException(
            413,
            f"The windows are longer than {MAX_WINDOWS} s in total: choose a "
            "larger step, a shorter window or a shorter recording.",
        )


def has_samples_after(upload: dict[str, Any], seconds: float) -> bool:
    """Return whether a recording goes on after a time; little of it is decoded."""
    try:
        skdaf.load_audio(upload, start=seconds, end=seconds + 0.01)
    except skdaf.AudioReadError:
        # It is shorter; or it cannot be read, which the model will report.
        return False
    return True
