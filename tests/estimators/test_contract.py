"""scikit-learn's contract, on every estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ostinato.errors import DataError, UsageError
from ostinato.estimators import Classifier, Detector, Forecaster, LanguageModel, Regressor, Tagger, Translator
from ostinato.runs.recipe import Recipe
from ostinato.tasks import TASKS

SMALL: dict[str, Any] = {"hidden": 12, "epochs": 8, "batch_size": 8, "learning_rate": 0.02, "valid": 0.0}
RANDOM = np.random.default_rng(0)
WORDS = ["".join(RANDOM.choice(list("abc"), RANDOM.integers(3, 9))) for _ in range(40)]
FIRST = [word[0] for word in WORDS]
SERIES = [RANDOM.normal(size=(RANDOM.integers(3, 9), 2)) for _ in range(40)]
LAST = np.array([one[-1, 0] for one in SERIES])
TOKENS = [[str(t) for t in RANDOM.choice(["a", "dog", "the", "runs"], RANDOM.integers(2, 6))] for _ in range(40)]
TAGS = [["N" if token == "dog" else "O" for token in row] for row in TOKENS]
QUICK: dict[str, Any] = SMALL | {"epochs": 1, "settings": {"training.epoch_size": 32}}
WAVE = np.sin(np.arange(160) / 4)
CASES = {
    "classifier": (Classifier(**SMALL), WORDS, FIRST),
    "regressor": (Regressor(**SMALL), SERIES, LAST),
    "tagger": (Tagger(**SMALL), TOKENS, TAGS),
    "language": (LanguageModel(**SMALL), WORDS, None),
    "forecaster": (Forecaster(horizon=4, **QUICK), WAVE, None),
    "detector": (Detector(**QUICK), WAVE, None),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    model, X, y = CASES[request.param]
    return clone(model), X, y


def answers(model: Any, X: Any) -> Any:
    return model.generate(count=2, length=6) if isinstance(model, LanguageModel) else model.predict(X)


def test_parameters_are_stored_as_given_and_cloned(case: tuple[Any, Any, Any]) -> None:
    model, _, _ = case
    parameters = model.get_params()
    assert {key: getattr(model, key) for key in parameters} == parameters
    assert clone(model).get_params() == parameters
    assert model.set_params(hidden=5).hidden == 5


def test_before_fit_it_says_so(case: tuple[Any, Any, Any]) -> None:
    model, X, _ = case
    with pytest.raises(NotFittedError):
        answers(model, X)


def test_fit_returns_self_and_keeps_parameters(case: tuple[Any, Any, Any]) -> None:
    model, X, y = case
    before = dict(model.get_params())
    assert model.fit(X, y) is model
    assert model.get_params() == before
    assert model.n_steps_seen_ > 0
    assert len(model.history_.rows) == before["epochs"]


def test_same_seed_same_answers_twice(case: tuple[Any, Any, Any]) -> None:
    model, X, y = case
    first = answers(model.fit(X, y), X)
    again = answers(clone(model).fit(X, y), X)
    if isinstance(first, np.ndarray):
        np.testing.assert_array_equal(first, again)
    else:
        assert first == again


def test_settings_reach_the_recipe_and_unknown_ones_are_named() -> None:
    model = Classifier(**SMALL, settings={"model.pool": "mean"}).fit(WORDS, FIRST)
    assert model.recipe_.model.pool == "mean"
    with pytest.raises(UsageError, match=r"model\.pool"):
        Classifier(**SMALL, settings={"model.pol": "mean"}).fit(WORDS, FIRST)


def test_classifier_learns_and_gives_probabilities() -> None:
    model = Classifier(**(SMALL | {"epochs": 30})).fit(WORDS, FIRST)
    chances = model.predict_proba(WORDS)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)
    assert model.score(WORDS, FIRST) == accuracy_score(FIRST, model.predict(WORDS)) > 0.9
    np.testing.assert_array_equal(model.classes_[chances.argmax(1)], model.predict(WORDS))


@pytest.mark.parametrize("labels", [[0, 1], [-1.5, 2.0], [True, False], [10, 9]], ids=str)
def test_labels_keep_their_type_and_order(labels: list[Any]) -> None:
    y = [labels[word[0] == "a"] for word in WORDS]
    model = Classifier(**SMALL).fit(WORDS, y)
    assert model.predict(WORDS[:5]).dtype == np.asarray(labels).dtype
    assert model.classes_.tolist() == sorted(labels)
    assert set(model.predict(WORDS).tolist()) <= set(labels)


def test_pipeline_grid_search_and_cross_validation() -> None:
    X = RANDOM.normal(size=(40, 6))
    y = (X[:, 0] > 0).astype(int)
    pipe = Pipeline([("scale", StandardScaler()), ("net", Classifier(**SMALL))])
    search = GridSearchCV(pipe, {"net__hidden": [4, 8]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["net__hidden"] in {4, 8}
    scores = cross_val_score(Regressor(**SMALL), X, X[:, 0], cv=2, error_score="raise")
    assert scores.shape == (2,)
    lower = Pipeline(
        [("lower", FunctionTransformer(lambda rows: [row.lower() for row in rows])), ("net", Classifier(**SMALL))]
    )
    assert set(lower.fit(WORDS, FIRST).predict(["ABC"])) <= {"a", "b", "c"}


def frames() -> dict[str, Any]:
    data = {"name": WORDS}
    return {"pandas": pd.DataFrame(data), "polars": pl.DataFrame(data)}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_give_the_answers_of_lists(library: str) -> None:
    model = Classifier(**SMALL).fit(frames()[library], FIRST)
    expected = Classifier(**SMALL).fit(WORDS, FIRST)
    np.testing.assert_allclose(model.predict_proba(frames()[library]), expected.predict_proba(WORDS), atol=1e-6)


def test_arrays_of_two_and_three_dimensions_are_the_same_series() -> None:
    flat = RANDOM.normal(size=(30, 7))
    y = flat[:, -1]
    two = Regressor(**SMALL).fit(flat, y).predict(flat)
    three = Regressor(**SMALL).fit(flat[..., None], y).predict(flat[..., None])
    rows = Regressor(**SMALL).fit(list(flat), y).predict(list(flat))
    np.testing.assert_array_equal(two, three)
    np.testing.assert_array_equal(two, rows)


def test_one_row_and_a_longer_sequence_than_any_in_training() -> None:
    model = Classifier(**SMALL).fit(WORDS, FIRST)
    assert model.predict(["ab" * 200]).shape == (1,)
    alone = np.concatenate([model.predict_proba([word]) for word in WORDS])
    np.testing.assert_allclose(alone, model.predict_proba(WORDS), atol=1e-6)


def test_tagger_keeps_lengths_and_learns() -> None:
    model = Tagger(**(SMALL | {"epochs": 15})).fit(TOKENS, TAGS)
    assert [len(row) for row in model.predict(TOKENS)] == [len(row) for row in TOKENS]
    assert model.score(TOKENS, TAGS) > 0.95
    with pytest.raises(ValueError, match="tags"):
        model.score(TOKENS, TAGS[:-1])
    chances = model.predict_proba(TOKENS)
    assert [one.shape for one in chances] == [(len(row), 2) for row in TOKENS]
    assert [[str(model.classes_[place]) for place in one.argmax(1)] for one in chances] == model.predict(TOKENS)
    np.testing.assert_allclose(np.concatenate(chances).sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(TOKENS[3:4])[0], chances[3], atol=1e-5)


def test_translator_tells_what_it_looked_at() -> None:
    numbers = ["1", "22", "333", "4444"] * 6
    model = Translator(hidden=8, epochs=1, valid=0.0).fit(numbers, [number[::-1] for number in numbers])
    asked = ["1", "4321"]
    for text, answer, looked in zip(asked, model.predict(asked), model.predict_attention(asked), strict=True):
        assert "".join(looked.source) == text
        assert "".join(symbol for symbol in looked.symbols if symbol != "end") == answer
        assert looked.shares.shape == (len(looked.symbols), len(text))
        np.testing.assert_allclose(looked.shares.sum(1), 1.0, atol=1e-5)
    with pytest.raises(NotFittedError):
        Translator().predict_attention(asked)
    blind = Translator(hidden=8, epochs=1, valid=0.0, settings={"model.attention": "none"}).fit(numbers, numbers)
    with pytest.raises(UsageError, match=r"model\.attention=none"):
        blind.predict_attention(asked)


def test_language_model_writes_from_a_class() -> None:
    texts = ["aaaa", "bbbb"] * 20
    model = LanguageModel(**(SMALL | {"epochs": 20})).fit(texts, ["x", "y"] * 20)
    assert set(model.generate(condition="x", temperature=0.0)[0]) == {"a"}
    assert set(model.generate(condition="y", temperature=0.0)[0]) == {"b"}
    assert -0.7 < model.score(texts, ["x", "y"] * 20) < 0
    with pytest.raises(DataError, match="condition"):
        model.generate(condition="z")


def test_language_model_reads_one_document() -> None:
    model = LanguageModel(**(SMALL | {"epochs": 20})).fit("abc" * 300)
    assert model.generate("ab", length=4, temperature=0.0)[0].startswith("ab")
    assert model.score("abc" * 50) > -0.9


def test_forecaster_shapes_of_one_and_many_series() -> None:
    one = Forecaster(horizon=4, **QUICK).fit(WAVE)
    assert one.predict().shape == (4,)
    assert one.predict(horizon=10).shape == (10,)
    assert one.predict_quantiles().shape == (4, 3)
    assert (np.diff(one.predict_quantiles(), axis=-1) >= 0).all()
    np.testing.assert_allclose(one.predict(WAVE), one.predict(), atol=1e-6)
    many = Forecaster(horizon=4, **QUICK).fit([WAVE, WAVE[:90] * 3, np.cos(WAVE)])
    assert many.predict().shape == (3, 4)


@pytest.mark.parametrize(
    ("model", "X", "y", "message"),
    [
        (Classifier(**SMALL), WORDS, ["a"] * 40, "single label"),
        (Classifier(**SMALL), WORDS, FIRST[:-1], "40"),
        (Regressor(**SMALL), SERIES, ["high"] * 40, "number"),
        (Regressor(**SMALL), [np.array([[1.0], [np.inf]])] * 4, [1.0] * 4, "infini"),
        (Tagger(**SMALL), [["a", "b"]], [["X"]], "2 steps"),
        (Classifier(**SMALL), [], [], "empty|no row"),
    ],
    ids=["one class", "lengths differ", "text for numbers", "infinity", "tags missing", "empty"],
)
def test_wrong_input_is_named(model: Any, X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_verbose_tells_each_epoch_and_silence_is_the_default(
    case: tuple[Any, Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model, X, y = case
    model.set_params(epochs=2).fit(X, y)
    assert capsys.readouterr().out == ""
    model.set_params(verbose=1).fit(X, y)
    first, second, end = capsys.readouterr().out.splitlines()
    assert first.startswith(f"epoch 1/2  loss {model.history_.rows[0]['loss']:.4f}")
    assert second.startswith("epoch 2/2  loss ")
    assert end.startswith("stopped by epochs after ")


def test_what_is_left_out_is_as_the_task_has_it() -> None:
    for model in (Classifier(), Regressor(), Tagger(), LanguageModel(), Forecaster()):
        model._conditional = False
        recipe, task = model._recipe(), Recipe.of(TASKS[model.task_name].defaults)
        assert (recipe.model.hidden, recipe.model.dropout) == (task.model.hidden, task.model.dropout)


def test_detector_finds_the_spike_with_the_signs_of_outlier_detectors() -> None:
    series = WAVE.copy()
    series[140] = 6
    model = Detector(hidden=8, epochs=4, alarms=0.02, quiet=30).fit(WAVE[:120])
    scores, decided, answers, rang = (
        getattr(model, name)(series) for name in ("score_samples", "decision_function", "predict", "alarm")
    )
    assert scores[100:].argmin() == 40
    assert decided[140] < 0
    assert set(answers.tolist()) == {-1, 1}
    assert answers[140] == -1
    np.testing.assert_array_equal(answers == -1, decided < 0)
    assert rang[140]
    assert (answers[rang] == -1).all()
    two = model.score_samples([series, series[:50]])
    np.testing.assert_allclose(two, np.concatenate([scores, scores[:50]]), atol=1e-4)


def test_detector_takes_channels_and_missing_values() -> None:
    series = np.stack([WAVE, -WAVE], axis=1)
    series[60, 0] = np.nan
    model = Detector(**QUICK).fit(series)
    assert np.isfinite(model.score_samples(series)).all()
    series[70] = np.nan
    assert np.isnan(model.score_samples(series)).tolist() == [step == 70 for step in range(len(series))]
    assert model.predict(series)[70] == 1
