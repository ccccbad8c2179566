"""Recipes: layers, types, and errors that name the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import UsageError
from ostinato.runs import Recipe
from ostinato.runs.recipe import keys, load_settings, parse_settings


def test_layers_in_order() -> None:
    recipe = Recipe.of({"model.hidden": 1, "model.layers": 2}, {"model.hidden": 3})
    assert (recipe.model.hidden, recipe.model.layers, recipe.model.cell) == (3, 2, "lstm")


def test_yaml_round_trip(tmp_path: Path) -> None:
    settings = ["data.inputs=a,b", "data.kinds.seq=dna", "task.quantiles=[0.05, 0.5, 0.95]", "files.data=/x/ü.csv"]
    recipe = Recipe.of(parse_settings(settings))
    recipe.save(tmp_path / "recipe.yaml")
    assert Recipe.load(tmp_path / "recipe.yaml") == recipe
    assert recipe.data.inputs == ("a", "b")
    assert recipe.data.kinds == {"seq": "dna"}
    assert recipe.task.quantiles == (0.05, 0.5, 0.95)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("training.epochs=20", "training.epochs", 20),
        ("training.epochs = 20", "training.epochs", 20),
        ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", 0.001),
        ("model.bidirectional=no", "model.bidirectional", False),
        ("model.bidirectional=TRUE", "model.bidirectional", True),
        ("model.cell=gru", "model.cell", "gru"),
        ("data.target=1", "data.target", "1"),
        ("data.target=a=b", "data.target", "a=b"),
        ("data.inputs=", "data.inputs", ()),
        ("data.kinds={a: dna, b: text}", "data.kinds", {"a": "dna", "b": "text"}),
        ("data.kinds=a=dna", "data.kinds", {"a": "dna"}),
        ("data.kinds=", "data.kinds", {}),
        ("task.quantiles=0.5", "task.quantiles", (0.5,)),
    ],
)
def test_assignments_are_typed(text: str, key: str, value: object) -> None:
    found = parse_settings([text])[key]
    assert found == value
    assert type(found) is type(value)


def test_entries_of_a_mapping_add_up() -> None:
    assert parse_settings(["data.kinds.a=dna", "data.kinds.b=text"]) == {"data.kinds": {"a": "dna", "b": "text"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training.epoch=3", "no recipe key 'training.epoch'. Did you mean 'training.epochs'?"),
        ("trainign.epochs=3", "Did you mean 'training.epochs'?"),
        ("epochs=3", "no recipe key 'epochs'. Did you mean 'training.epochs'?"),
        ("foo.bar=2", "groups are data, audio, vision, music, task, model, training, optimizer, files"),
        ("model.xyzzy=2", "Known: 'cell', 'hidden'"),
        ("training.epochs", "write KEY=VALUE"),
        ("training.epochs=many", "training.epochs is 'many'; it must be a whole number"),
        ("training.epochs=2.5", "must be a whole number"),
        ("training.epochs=", "training.epochs is nothing"),
        ("optimizer.learning_rate=fast", "must be a number"),
        ("optimizer.learning_rate=nan", "must be a number"),
        ("optimizer.learning_rate=inf", "must be a number"),
        (
            "model.cell=lsmt",
            "'slstm', 'mlstm'. Did you mean 'lstm'?",
        ),
        ("model.cell=transformer", "one of 'rnn', 'rnn_relu', 'lstm', 'gru', 'gru_before'"),
        ("model.bidirectional=maybe", "must be true or false"),
        ("task.quantiles=a,b", "must be a list, as in a,b (each a number)"),
        ("data.kinds=dna", "must be names with values"),
    ],
)
def test_wrong_assignments(text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_settings([text])
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training: {epochs: [}", "row 1: this is no YAML"),
        ("- 1\n- 2\n", "a recipe is groups of keys"),
        ("trainig: {epochs: 3}", "no recipe group 'trainig'. Did you mean 'training'?"),
        ("training: 3", "'training' must hold keys"),
        ("training: {epoch: 3}", "Did you mean 'training.epochs'?"),
        ("training: {epochs: yes}", "must be a whole number"),
        ("data: {target: yes}", "must be text (in quotes)"),
        ("data: {inputs: {a: b}}", "must be a list"),
        ("model: {bidirectional: 2}", "must be true or false"),
        ("optimizer: {learning_rate: true}", "must be a number"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_settings(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"data: {target: \xff}")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_settings(tmp_path / "latin.yaml")


def test_empty_files_and_empty_keys_mean_defaults(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for text in ("", "training:\n", "data:\n  target:\n"):
        path.write_text(text, encoding="utf-8")
        assert Recipe.load(path) == Recipe()


def test_override() -> None:
    recipe = Recipe().override("training.epochs=7").override(["model.cell=gru", "model.hidden=3"])
    assert (recipe.training.epochs, recipe.model.cell, recipe.model.hidden) == (7, "gru", 3)
    assert recipe.override({"training.seed": 4}).training.seed == 4
    with pytest.raises(UsageError, match=r"training\.epochs"):
        recipe.override({"training.epoch": 4})


def test_code_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("data: !!python/object/apply:os.system ['true']", encoding="utf-8")
    with pytest.raises(UsageError, match="no YAML"):
        load_settings(path)


@given(st.dictionaries(st.sampled_from(["training.epochs", "training.seed", "model.hidden"]), st.integers(0, 10**9)))
def test_whole_numbers_survive(chosen: dict[str, int]) -> None:
    assert parse_settings([f"{key}={value}" for key, value in chosen.items()]) == chosen


def test_every_key_is_known() -> None:
    assert {"data.target", "task.horizon", "model.cell", "training.seed", "optimizer.name", "files.test"} <= set(keys())


def test_files_are_seen_from_the_folder_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe and its data can be moved together; in memory a path is what was typed."""
    (tmp_path / "runs" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.of({"files.data": "data/x.csv", "files.test": str(tmp_path / "y.csv")})
    recipe.save("runs/a/recipe.yaml")
    assert yaml.safe_load(Path("runs/a/recipe.yaml").read_text())["files"] == {
        "data": "../../data/x.csv",
        "valid": "",
        "test": "../../y.csv",
    }
    found = Recipe.load("runs/a/recipe.yaml").files
    assert (found.data, found.valid, found.test) == (str(Path("data/x.csv")), "", "y.csv")
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere" / "a")
    assert Recipe.load("recipe.yaml").files.data == str(Path("../../data/x.csv"))
    absolute = Recipe.load(tmp_path / "elsewhere" / "a" / "recipe.yaml").files
    assert absolute.data == str(tmp_path / "data" / "x.csv")


def test_groups_that_the_data_group_carries(tmp_path: Path) -> None:
    recipe = Recipe.of({"audio.rate": 8000, "data.unit": "word"}).override("vision.size=28")
    assert (recipe.data.audio.rate, recipe.data.vision.size, recipe.data.unit) == (8000, 28, "word")
    assert "data.audio" not in keys()
    recipe.save(tmp_path / "recipe.yaml")
    assert "\naudio:\n  rate: 8000\n" in (tmp_path / "recipe.yaml").read_text()
    assert Recipe.load(tmp_path / "recipe.yaml") == recipe
