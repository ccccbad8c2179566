"""Rows to predict are read as the rows the model learned from, however few and odd they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato.data.settings import DataSettings
from ostinato.errors import DataError, UsageError
from ostinato.runs import LoadedModel, load, model_folder
from ostinato.runs.annotate import init, meaning_of
from ostinato.runs.learn import new_model
from ostinato.runs.prepare import prepare
from ostinato.runs.recipe import Recipe, load_settings
from run_toys import SMALL, words


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("model")
    data = words(folder / "words.csv")
    prepared = prepare({**SMALL, "files.data": str(data), "data.target": "kind"})
    model_folder.save(new_model(prepared, 0), prepared.task, prepared.recipe, prepared.table, folder / "model")
    return load(folder / "model", device="cpu")


@pytest.mark.parametrize(
    "text",
    [
        "word\naeiou\n",
        "word\n12\n",
        "word,kind\naeiou,\n",
        "kind,word\nother,aeiou\n",
        "word,number\naeiou,3\nae,4\n",
        "word,time\naeiou,2020-01-01\nae,2020-01-02\n",
        "word\nACGTACGTACGTACGTACGTACGT\n",
        "word\n" + "ae\n" * 30,
        '"word"\n"a, b"\n',
    ],
)
def test_odd_files(model: LoadedModel, tmp_path: Path, text: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text, encoding="utf-8")
    table = model.read(path)
    assert table["word"].kind.value == "text"
    frame = model.predict(path)
    assert frame.height == len(table)
    expected = model.predict([str(value) for value in table["word"].values])
    assert frame["probability"].to_list() == pytest.approx(expected["probability"].to_list(), abs=1e-6)


def test_lists_and_frames(model: LoadedModel) -> None:
    import pandas as pd
    import polars as pl

    expected = model.predict(["aeiou", "bcd"])
    assert model.predict(pl.DataFrame({"word": ["aeiou", "bcd"]})).equals(expected)
    assert model.predict(pd.DataFrame({"word": ["aeiou", "bcd"]})).equals(expected)
    assert model.predict(pl.DataFrame({"kind": ["vowel"], "word": ["aeiou"]}))["truth"].to_list() == ["vowel"]


def test_a_missing_column(model: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("words\naeiou\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'word'"):
        model.predict(path)


def test_evaluate_without_any_truth(model: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("word,kind\naeiou,\nae,\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row has a value"):
        model.evaluate(path)


def test_the_wrong_wish(model: LoadedModel) -> None:
    with pytest.raises(UsageError, match="only a forecaster"):
        model.forecast(["aeiou"])
    with pytest.raises(UsageError, match="only a language model"):
        model.generate()
    with pytest.raises(UsageError, match="writes from no condition"):
        model.generate(condition="vowel")
    with pytest.raises(UsageError, match="no row 2"):
        model.inspect(["ae", "bc"], 2)
    with pytest.raises(UsageError, match="is empty"):
        model.inspect([""])


def test_inspect_gives_a_name_for_every_step(model: LoadedModel) -> None:
    seen = model.inspect(["bc", "aexi"], 1)
    assert seen.steps == ("a", "e", "x", "i")
    assert seen.inside.inputs.shape == (4, 4)
    assert seen.answer.height == 1


def test_init_writes_what_train_would_use(tmp_path: Path) -> None:
    data = words(tmp_path / "words.csv")
    path = init(data, tmp_path / "recipe.yaml", target="kind")
    recipe = Recipe.load(path)
    resolved = prepare({"files.data": str(data), "data.target": "kind"}).recipe
    assert recipe == resolved
    assert prepare({**load_settings(path), "files.data": str(data)}).recipe == resolved
    with pytest.raises(UsageError, match="exists already"):
        init(data, path, target="kind")
    with pytest.raises(UsageError, match="cannot be written"):
        init(data, tmp_path / "none" / "recipe.yaml", target="kind")
    with pytest.raises(UsageError, match="clasify"):
        init(data, tmp_path / "other.yaml", target="kind", task="clasify")


def test_every_setting_says_what_it_means() -> None:
    from dataclasses import fields

    from ostinato.runs.recipe import GROUPS

    for kind in GROUPS.values():
        assert set(meaning_of(kind)) == {one.name for one in fields(kind)}
    assert meaning_of(DataSettings)["target"].startswith("column to predict")


def test_tokens_are_read_by_whatever_name_their_format_has(tmp_path: Path) -> None:
    """A tagger of CoNLL-U tags CoNLL columns, and the other way round."""
    rows = [("we", "PRON"), ("fish", "VERB"), ("", ""), ("the", "DET"), ("fish", "NOUN"), ("", "")] * 12
    numbered = [
        "\t".join([str(1 + n % 3), word, "_", tag, *"______"]) if word else "" for n, (word, tag) in enumerate(rows)
    ]
    (tmp_path / "a.conllu").write_text("\n".join(numbered) + "\n", encoding="utf-8")
    (tmp_path / "a.conll").write_text("\n".join(f"{w} {t}".strip() for w, t in rows) + "\n", encoding="utf-8")
    (tmp_path / "new.conll").write_text("the\nfish\n", encoding="utf-8")
    (tmp_path / "new.jsonl").write_text('{"words": ["the", "fish"]}\n', encoding="utf-8")
    for name in ("a.conllu", "a.conll"):
        prepared = prepare({**SMALL, "files.data": str(tmp_path / name), "data.valid": 0.0, "data.test": 0.5})
        folder = tmp_path / name.replace(".", "-")
        model_folder.save(new_model(prepared, 0), prepared.task, prepared.recipe, prepared.table, folder)
        tagger = load(folder, device="cpu")
        for source in ("new.conll", "new.jsonl", "a.conllu", "a.conll"):
            assert tagger.predict(tmp_path / source)["symbol"].to_list()[-2:] == ["the", "fish"]
