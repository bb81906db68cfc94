"""The server in examples/serve_fastapi.py: answers, errors, limits and threads."""

import asyncio
import io
import json
import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import ROOT, import_or_skip, small_classifier, small_frontend, stereo_tones
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdaf

URL_ENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
LIMITS = {
    "MAX_BYTES": 200_000,
    "MAX_CLIP_SECONDS": 2,
    "MAX_RECORDING_SECONDS": 4,
    "MAX_WINDOW_SECONDS": 10,
}


@pytest.fixture(scope="module")
def model_path(sounds, sound_labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "model.skops"
    skdaf.save_model(small_classifier(max_epochs=2).fit(sounds.filenames, sound_labels), path)
    return path


@pytest.fixture(scope="module")
def example(model_path):
    """The global names of the example, with low limits."""
    import_or_skip("fastapi")
    import_or_skip("python_multipart")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKDAF_MODEL", str(model_path))
        for name, value in LIMITS.items():
            patch.setenv(f"SKDAF_{name}", str(value))
        return runpy.run_path(str(ROOT / "examples" / "serve_fastapi.py"))


@pytest.fixture(scope="module")
def client(example):
    # With some versions, the import warns that the client has moved.
    import_or_skip("httpx")
    testing = import_or_skip("fastapi.testclient")
    with testing.TestClient(example["app"]) as client:
        yield client


@pytest.fixture(scope="module")
def model(model_path):
    return skdaf.load_model(model_path)


def encoded(samples, format, rate=16_000):
    """Return the content of a file with these samples."""
    file = io.BytesIO()
    sf.write(file, samples, rate, format=format)
    return file.getvalue()


def post(client, endpoint, content, name="clip.wav", **params):
    return client.post(f"/{endpoint}", files={"file": (name, content)}, params=params)


def check_refused(response, status, *parts):
    """Check the status of an error, and that its message has these parts."""
    assert response.status_code == status, response.text
    detail = response.json()["detail"]
    assert all(part in detail for part in parts), detail
    return detail


# --- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_an_upload_is_predicted_like_the_file(client, model, tmp_path, format, n_channels):
    content = encoded(stereo_tones()[:, :n_channels], format)
    path = tmp_path / f"clip.{format.lower()}"
    path.write_bytes(content)
    answer = post(client, "predict", content, path.name).json()
    assert answer["label"] == model.predict([path])[0]
    assert list(answer["probabilities"]) == list(model.classes_)
    assert list(answer["probabilities"].values()) == model.predict_proba([path])[0].tolist()


def test_eight_threads_get_the_same_bytes_as_one_call(client, model, sounds):
    contents = [Path(path).read_bytes() for path in sounds.filenames[::3]]
    expected = np.concatenate([model.predict_proba([path]) for path in sounds.filenames[::3]])
    with ThreadPoolExecutor(8) as pool:
        answers = [r.json() for r in pool.map(lambda c: post(client, "predict", c), contents)]
    found = [list(answer["probabilities"].values()) for answer in answers]
    np.testing.assert_array_equal(np.array(found, dtype=expected.dtype), expected)


def test_segments_are_the_rows_of_predict_segments(client, model, tmp_path):
    content = encoded(stereo_tones(40_000), "FLAC")
    path = tmp_path / "long.flac"
    path.write_bytes(content)
    rows = skdaf.predict_segments(model, path, window=0.5, step=0.25)
    answer = post(client, "segments", content, window=0.5, step=0.25).json()
    assert answer == {"segments": rows.to_dict("records")}
    assert len(rows) == 9
    # Without a window, it is as long as the training clips.
    rows = skdaf.predict_segments(model, path)
    assert post(client, "segments", content).json() == {"segments": rows.to_dict("records")}
    assert rows.end[0] == pytest.approx(model.frontend_.clip_length_, abs=1e-3)


def test_the_model_and_the_state_of_the_server_are_described(client, model):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/model").json() == {
        "classes": list(model.classes_),
        "sampling_rate": 16_000,
        "clip_length": model.frontend_.clip_length_,
        "version": skdaf.__version__,
    }


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:window=.* is far from the length")
@pytest.mark.parametrize("endpoint", ["predict", "segments"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"no sound at all\n" * 9, "not readable as audio"),
        (encoded(stereo_tones(), "WAV")[:9000], "truncated"),
        (encoded(stereo_tones(), "FLAC")[:9000], "clip.wav"),
    ],
)
def test_an_upload_that_is_no_audio_is_refused(client, endpoint, content, problem):
    # One window, so that the message is that of the recording as a whole.
    params = {"window": 1} if endpoint == "segments" else {}
    response = post(client, endpoint, content, **params)
    detail = check_refused(response, 422, "'clip.wav': ", problem)
    with pytest.raises(skdaf.AudioReadError) as info:
        skdaf.load_audio({"path": "clip.wav", "bytes": content})
    assert detail == str(info.value)


def test_errors_name_the_upload_and_no_file_of_the_server(client, example):
    detail = check_refused(post(client, "predict", b"text", "../../etc/passwd"), 422)
    assert detail.startswith("'../../etc/passwd': not readable")


def test_requests_without_a_single_file_are_refused(client):
    no_file = "file: expected a file with a name in this field of a form, got "
    sound = {"sound": ("clip.wav", b"text")}
    for response, problem in (
        (client.post("/predict"), "no form."),
        (client.post("/predict", content=b"secret"), "no form."),
        (client.post("/predict", json={"file": "secret"}), "a body of type 'application/json'."),
        (client.post("/predict", data={"file": "secret"}), f"a body of type {URL_ENCODED!r}."),
        # This is what curl --data-binary sends.
        (
            client.post("/predict", content=b"a=b&c", headers={"Content-Type": URL_ENCODED}),
            f"a body of type {URL_ENCODED!r}.",
        ),
        (
            client.post("/predict", content=b"--x--\r\n", headers={"Content-Type": MULTIPART}),
            "an empty form.",
        ),
        (
            client.post("/segments", files=sound, data={"x" * 50: "secret"}),
            f"'{'x' * 40}', 'sound'.",
        ),
        (post(client, "predict", b"secret", ""), "text, or a file without a name."),
    ):
        assert check_refused(response, 422) == no_file + problem
    two = [("file", ("clip.wav", encoded(stereo_tones(), "WAV")))] * 2
    for endpoint in ("predict", "segments"):
        check_refused(client.post(f"/{endpoint}", files=two), 422, "one file, got several")


@pytest.mark.parametrize("endpoint", ["predict", "segments"])
def test_other_fields_of_the_form_are_refused(client, endpoint):
    sound = ("clip.wav", encoded(stereo_tones(), "WAV"))
    problem = "unknown field of the form, expected only 'file'."
    response = client.post(f"/{endpoint}", files={"file": sound}, data={"window": "secret"})
    detail = check_refused(response, 422, f"window: {problem}", "as in /segments?window=1.")
    assert "secret" not in detail
    response = client.post(f"/{endpoint}", files={"file": sound, "y" * 50: sound})
    check_refused(response, 422, f"{'y' * 40}: {problem}")


@pytest.mark.parametrize(("name", "value"), [("window", 0), ("step", "x"), ("window", "nan")])
def test_a_parameter_out_of_range_is_named(client, name, value):
    response = post(client, "segments", b"text", **{name: value})
    check_refused(response, 422, f"{name}: Input should")


@pytest.mark.parametrize(
    ("endpoint", "params", "problem"),
    [
        ("segments", {"windw": 2}, "windw: unknown query parameter, expected window or step."),
        ("segments", {"window": 1, "Step": 1}, "Step: unknown query parameter"),
        ("predict", {"window": 1}, "window: unknown query parameter, expected no parameters."),
    ],
)
def test_an_unknown_parameter_is_named(client, endpoint, params, problem):
    content = encoded(stereo_tones(), "WAV")
    check_refused(post(client, endpoint, content, **params), 422, problem)


@pytest.mark.parametrize("value", ["0", "-1", "20MB", "nan", "1.5", ""])
def test_a_limit_that_makes_no_sense_stops_the_start(example, monkeypatch, value):
    monkeypatch.setenv("SKDAF_THREADS", value)
    with pytest.raises(ValueError, match=f"SKDAF_THREADS='{value}': expected a whole number"):
        example["limit"]("SKDAF_THREADS", 8)


def start(example, model, monkeypatch):
    """Start the server with a model."""
    monkeypatch.setattr("skdaf.load_model", lambda path: model)

    async def lifespan():
        async with example["lifespan"](example["app"]):
            pass

    asyncio.run(lifespan())


def test_a_model_that_is_no_classifier_stops_the_start(example, sounds, monkeypatch):
    regressor = skdaf.CNNAudioRegressor(frontend=small_frontend(), max_epochs=1)
    regressor.fit(sounds.filenames[:4], range(4))
    with pytest.raises(ValueError, match="contains a CNNAudioRegressor: expected a classifier"):
        start(example, regressor, monkeypatch)


@pytest.mark.parametrize("wrap", [lambda c: c, make_pipeline, lambda c: GridSearchCV(c, {})])
def test_a_model_that_is_not_fitted_stops_the_start(example, monkeypatch, wrap):
    model = wrap(small_classifier())
    with pytest.raises(ValueError, match=f"a {type(model).__name__} that is not fitted: call"):
        start(example, model, monkeypatch)


def test_a_model_of_a_table_stops_the_start(example, monkeypatch):
    scaler = StandardScaler().fit(pd.DataFrame({"path": [1.0, 2.0], "warmth": [3.0, 4.0]}))
    model = make_pipeline(scaler, LogisticRegression().fit([[0, 0], [1, 1]], [0, 1]))
    with pytest.raises(ValueError, match="expects a table with the columns 'path', 'warmth'"):
        start(example, model, monkeypatch)


def test_unexpected_errors_are_json(client, example, monkeypatch):
    def fail(*args, **options):
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("skdaf.load_audio", fail)
    testing = import_or_skip("fastapi.testclient")
    failing = testing.TestClient(example["app"], raise_server_exceptions=False)
    detail = check_refused(post(failing, "predict", b"text"), 500, "The server failed")
    assert "secret" not in detail
    # The server still gets the error, and prints it.
    with pytest.raises(ZeroDivisionError):
        post(client, "predict", b"text")
    check_refused(client.get("/nothing"), 404, "Not Found")


def test_recordings_that_are_too_long_are_refused(client):
    for seconds, predicted, segmented in ((2, 200, 200), (2.1, 413, 200), (4.1, 413, 413)):
        content = encoded(stereo_tones(int(seconds * 16_000))[:, 0], "FLAC")
        responses = [post(client, endpoint, content) for endpoint in ("predict", "segments")]
        assert [r.status_code for r in responses] == [predicted, segmented]
    check_refused(responses[0], 413, "longer than 2 s")
    check_refused(responses[1], 413, "longer than 4 s")


@pytest.mark.filterwarnings("ignore:window=.* is far from the length")
def test_windows_that_are_too_long_in_total_are_refused(client, monkeypatch):
    content = encoded(stereo_tones(40_000)[:, 0], "FLAC")
    # 2.5 s: 16 windows of 1 s, and 10 of them, which are just allowed.
    for step, status in ((0.1, 413), (0.1667, 200), (0.166, 413), (None, 200)):
        params = {} if step is None else {"step": step}
        assert post(client, "segments", content, window=1, **params).status_code == status
    # One window is allowed, whatever its length.
    assert post(client, "segments", content, window=15, step=0.1).status_code == 200
    # The answer comes before the work.
    monkeypatch.delattr("skdaf.predict_segments")
    response = post(client, "segments", content, window=1, step=0.1)
    check_refused(response, 413, "longer than 10 s in total", "a larger step")


def test_a_large_upload_is_refused(client):
    check_refused(post(client, "predict", bytes(300_000)), 413, "more than 200000 bytes")
    # The limit holds for each request, not for all together.
    assert all(
        post(client, "predict", encoded(stereo_tones(), "WAV")).status_code == 200 for _ in "1234"
    )


class Connection:
    """A request whose body has many parts, and the status and body of its answer."""

    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    def __init__(self, n_parts):
        self.parts = iter([self.head, *[bytes(50_000)] * n_parts])
        self.n_received, self.status, self.content = 0, None, b""

    async def receive(self):
        self.n_received += 1
        return {"type": "http.request", "body": next(self.parts), "more_body": True}

    async def send(self, message):
        self.status = message.get("status", self.status)
        self.content += message.get("body", b"")

    def open(self, app):
        """Send the request to an app, and return this connection with the answer."""
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "query_string": b"",
            # A length that is not true.
            "headers": [
                (b"content-type", b"multipart/form-data; boundary=x"),
                (b"content-length", b"100"),
            ],
        }
        asyncio.run(app(scope, self.receive, self.send))
        return self


def test_a_large_upload_is_not_received_to_its_end(example):
    connection = Connection(n_parts=1000).open(example["app"])
    assert connection.status == 413
    assert connection.n_received == 5


def test_a_busy_server_refuses_uploads_without_reading_them(example):
    async def never(scope, receive, send):
        raise AssertionError("the request must not get here")

    limits = example["UploadLimits"](never)
    limits.n_requests = example["MAX_REQUESTS"]
    connection = Connection(n_parts=1).open(limits)
    assert (connection.status, connection.n_received) == (503, 0)
    assert "Too many requests" in json.loads(connection.content)["detail"]


def test_requests_stop_counting_when_they_end(example):
    async def failing(scope, receive, send):
        assert limits.n_requests == 1
        raise ZeroDivisionError

    limits = example["UploadLimits"](failing)
    with pytest.raises(ZeroDivisionError):
        Connection(n_parts=1).open(limits)
    assert limits.n_requests == 0


def test_eight_requests_are_computed_at_a_time(client, example):
    anyio = import_or_skip("anyio", "anyio.to_thread")

    async def n_threads():
        return anyio.to_thread.current_default_thread_limiter().total_tokens

    assert client.portal.call(n_threads) == example["N_THREADS"] == 8
