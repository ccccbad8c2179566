"""The results of docs/results.md: every command, run on the real data sets, three seeds each.

``python -m benchmarks.results`` runs all; names choose some, ``--folds`` some folds of them. ``OSTINATO_DATA`` names
the data; runs lie in ``results/``. A command that was stopped is resumed, one that ended is not run again. What came of
each is kept in ``benchmarks/results/<name>.json``, from which the page is written anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import nab, spoken_digits, spoken_sentences
from benchmarks.moving import moving_digits
from ostinato.runs.demo_data import write_adding
from ostinato.training.words import HIGHER, PERCENT

HERE = Path(__file__).parent
KEPT = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
WORK = Path("results")


def names(data: Path, work: Path) -> Path:
    """The folder of surnames as one table: a name and its language a row."""
    path = work / "names.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "language"])
        for one in sorted((data / "names_nationality" / "names").glob("*.txt")):
            lines = one.read_text(encoding="utf-8").splitlines()
            writer.writerows([line.strip(), one.stem] for line in lines if line.strip())
    return path


def adding(_data: Path, work: Path) -> Path:
    """The adding problem at 600 steps."""
    return write_adding(work / "adding600.jsonl", rows=12_000, steps=600, seed=0)


def chorales(data: Path, work: Path) -> Path:
    """The JSB chorales as MIDI files in three folders, two steps a beat."""
    from scipy.io import loadmat

    from ostinato.data.media.midi import Tune

    arrays = loadmat(data / "poly_music" / "JSB_Chorales.mat")
    for part in ("train", "valid", "test"):
        folder = work / "chorales" / part
        folder.mkdir(parents=True, exist_ok=True)
        for number, keys in enumerate(arrays[f"{part}data"][0]):
            Tune(keys > 0, 2).save(folder / f"{number:03}.mid")
    return work / "chorales"


def enhancers(data: Path, work: Path) -> Path:
    """Two folders, ``train`` without the test's strong enhancers and ``test``, each with a FASTA file a class."""
    parts = {
        "train": {
            "enhancer": ("train_strong_enhancers.clean", "train_weak_enhancers"),
            "other": ("train_non_enhancers",),
        },
        "test": {"enhancer": ("test_strong_enhancers", "test_weak_enhancers"), "other": ("test_non_enhancers",)},
    }
    for part, classes in parts.items():
        folder = work / "enhancers_fasta" / part
        folder.mkdir(parents=True, exist_ok=True)
        for label, files in classes.items():
            texts = [(data / "dna_enhancers" / f"{name}.txt").read_text(encoding="utf-8").strip() for name in files]
            (folder / f"{label}.fa").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return work / "enhancers_fasta"


@dataclass(frozen=True)
class Result:
    """One row of the page: what is run, and what is looked at."""

    name: str
    title: str
    measure: str
    wanted: str
    command: str
    make: Callable[[Path, Path], Path] | None = None
    folds: int = 0


SEEDS = "--seeds 3"
DIGITS = "{data}/mnist_10k/train-10k-images-idx3-ubyte.gz --test {data}/mnist_10k/t10k-images-idx3-ubyte.gz"
RESULTS = (
    Result(
        "names",
        "names_nationality, equal names on one side",
        "accuracy",
        "above n-gram logistic regression",
        f"{{made}} --target language --set data.test=0.2 --set task.logit_adjustment=0.3 {SEEDS}",
        names,
    ),
    Result(
        "splice",
        "dna_splice, ten folds, grouped by sequence and id prefix",
        "error",
        "≤ 6.3 %",
        "{data}/dna_splice/splice.csv --target Class --id Donor --set data.group=[^-]+ --set data.fold={fold}/10 "
        "--epochs 20 --hidden 64 --set model.segment=3 --set model.embedding=32 --set model.embedding_dropout=0.3 "
        f"{SEEDS}",
        folds=10,
    ),
    Result(
        "vowels",
        "uea_ucr JapaneseVowels",
        "accuracy",
        "≥ 97 %",
        "{data}/uea_ucr/JapaneseVowels_TRAIN.ts --test {data}/uea_ucr/JapaneseVowels_TEST.ts --epochs 60 " + SEEDS,
    ),
    Result(
        "enhancers",
        "dna_enhancers, enhancer or not, without what the test holds",
        "accuracy",
        "≥ 77.2 %",
        "{made}/train --test {made}/test --epochs 12 --hidden 64 --set data.strands=both --set model.segment=5 "
        f"--set model.embedding=32 --set model.embedding_dropout=0.3 {SEEDS}",
        enhancers,
    ),
    Result(
        "genome",
        "dna_genomes, phage lambda, 80/10/10 by position",
        "bits",
        "< 2.0 (uniform), and below the k-gram",
        "{data}/dna_genomes/lambda_virus.fa --epochs 15 --hidden 64 --cell gru --set data.strands=both "
        f"--set model.dropout=0.3 --set training.batch_size=16 {SEEDS}",
    ),
    Result(
        "upos",
        "ud_english_ewt, universal part of speech",
        "accuracy",
        "≥ 95 %",
        "{data}/ud_english_ewt/en_ewt-ud-train.conllu --target upos --valid {data}/ud_english_ewt/en_ewt-ud-dev.conllu "
        "--test {data}/ud_english_ewt/en_ewt-ud-test.conllu --epochs 14 --hidden 160 "
        "--set task.features=characters,lower --set model.dropout=0.5 --set model.embedding_dropout=0.5 "
        f"--set model.symbol_dropout=0.2 {SEEDS}",
    ),
    Result(
        "sst",
        "sst, two classes, whole sentences only",
        "accuracy",
        "≥ 81 %, above n-gram logistic regression",
        "{data}/sst/stsa.binary.train --valid {data}/sst/stsa.binary.dev --test {data}/sst/stsa.binary.test "
        "--epochs 10 --hidden 64 --set data.unit=word --set data.min_count=2 --set model.embedding=64 "
        "--set model.pool=attention --set model.embedding_dropout=0.3 --set model.symbol_dropout=0.2 "
        f"--set task.label_smoothing=0.1 --set training.batch_size=64 {SEEDS}",
    ),
    Result(
        "multi30k",
        "multi30k_en_de, German to English, test of 2016, lower-cased",
        "bleu",
        "≥ 30, aim 36",
        "{data}/multi30k_en_de/train.de {data}/multi30k_en_de/train.en --valid {data}/multi30k_en_de/val.de --valid "
        "{data}/multi30k_en_de/val.en --test {data}/multi30k_en_de/test_2016_flickr.de --test "
        "{data}/multi30k_en_de/test_2016_flickr.en --task translate --epochs 14 --set data.lower=true --set "
        "data.subwords=6000 --set model.embedding=256 --set model.dropout=0.3 --set model.embedding_dropout=0.2 "
        f"--set optimizer.learning_rate=0.002 {SEEDS}",
    ),
    Result(
        "ptb_characters",
        "ptb, characters",
        "bits",
        "≤ 1.36",
        "{data}/ptb/ptb.train.txt --valid {data}/ptb/ptb.valid.txt --test {data}/ptb/ptb.test.txt --epochs 8 "
        f"--hidden 768 --set model.dropout=0.2 --set training.window=100 --set optimizer.learning_rate=0.002 {SEEDS}",
    ),
    Result(
        "ptb_words",
        "ptb, words, two layers of 200",
        "perplexity",
        "≤ 115 in under an hour a seed",
        "{data}/ptb/ptb.train.txt --valid {data}/ptb/ptb.valid.txt --test {data}/ptb/ptb.test.txt --epochs 12 "
        "--minutes 50 --hidden 200 --layers 2 --set data.unit=word --set model.embedding=200 --set model.tied=true "
        "--set model.dropout=0.3 --set model.embedding_dropout=0.2 --set training.window=35 "
        f"--set optimizer.learning_rate=0.003 {SEEDS}",
    ),
    Result(
        "shakespeare",
        "tiny_shakespeare, 90/10 by position",
        "nats",
        "≤ 1.75, and below a 5-gram",
        "{data}/tiny_shakespeare/input.txt --set data.valid=0.02 --set data.test=0.1 --epochs 5 --hidden 512 "
        f"--set training.window=64 --set model.dropout=0.2 {SEEDS}",
    ),
    Result(
        "jsb",
        "poly_music JSB chorales, the next of 88 keys each",
        "nats",
        "≤ 8.43",
        "{made}/train --valid {made}/valid --test {made}/test --set music.steps_per_beat=2 " + SEEDS,
        chorales,
    ),
    Result(
        "klon_05",
        "klon_guitar_pedal, gain 0.5",
        "esr",
        "≤ 0.0050",
        "{data}/klon_guitar_pedal/train/DataIn {data}/klon_guitar_pedal/train/Data50 "
        "--test {data}/klon_guitar_pedal/valid/DataIn --test {data}/klon_guitar_pedal/valid/Data50 "
        f"--set task.warm_up=500 {SEEDS}",
    ),
    Result(
        "klon_10",
        "klon_guitar_pedal, gain 1.0",
        "esr",
        "≤ 0.0172",
        "{data}/klon_guitar_pedal/train/DataIn {data}/klon_guitar_pedal/train/Data100 "
        "--test {data}/klon_guitar_pedal/valid/DataIn --test {data}/klon_guitar_pedal/valid/Data100 "
        f"--set task.warm_up=500 {SEEDS}",
    ),
    Result(
        "m4",
        "m4 hourly, 48 steps",
        "mase",
        "< 1.193, aim ≤ 1.0",
        f"{{data}}/m4/Hourly-train.csv --test {{data}}/m4/Hourly-test.csv --task forecast --horizon 48 {SEEDS}",
    ),
    Result(
        "etth1",
        "etth ETTh1, 96 steps, all channels",
        "scaled_mse",
        "< 0.375",
        "{data}/etth/ETTh1.csv --task forecast --horizon 96 --set data.rows=14400 --set data.valid=2880 "
        f"--set data.test=2880 {SEEDS}",
    ),
    Result(
        "exchange",
        "small_series exchange_rate, 24 steps",
        "mase",
        "an honest verdict",
        f"{{data}}/small_series/exchange_rate.csv --task forecast --horizon 24 {SEEDS}",
    ),
    Result(
        "stocks",
        "stocks, S&P 500 daily, 5 steps",
        "mase",
        "an honest verdict",
        f"{{data}}/stocks/sp500-2000.csv --task forecast --target close --horizon 5 {SEEDS}",
    ),
    Result(
        "mnist_rows",
        "mnist_10k, 28 rows of 28 pixels",
        "accuracy",
        "≥ 97.5 %",
        f"{DIGITS} --hidden 128 --epochs 15 --set vision.shift=2 {SEEDS}",
    ),
    Result(
        "mnist_pixels",
        "mnist_10k, 784 pixels one by one",
        "accuracy",
        "≥ 93 %",
        f"{DIGITS} --set vision.steps=pixel --cell gru --hidden 64 --epochs 20 --set model.dropout=0.2 "
        f"--set model.init=chrono --set model.max_lag=784 {SEEDS}",
    ),
    Result(
        "gestures",
        "gesture_point_history, the last blocks of each gesture",
        "accuracy",
        "≥ 95 %",
        "{data}/gesture_point_history/point_history.csv --target column_1 --set data.split=blocks --set data.test=0.2 "
        f"--set model.segment=2 --hidden 64 --epochs 10 --set task.label_smoothing=0.1 {SEEDS}",
    ),
    *(
        Result(
            f"moving_{target}s",
            f"moving digits in MP4 films, {what}",
            "accuracy",
            "≥ 95 %",
            f"{{made}} --test {{made.parent}}/test.csv --input film --target {target} --hidden 64 {more} {SEEDS}",
            moving_digits,
        )
        for target, what, more in (
            (
                "digit",
                "which digit",
                "--epochs 10 --set vision.size=32 --set vision.rate=6 --set vision.shift=2 --set model.dropout=0.2 "
                "--set model.embedding=128",
            ),
            ("direction", "which way", "--epochs 4 --set vision.size=24"),
        )
    ),
    Result(
        "adding_lstm",
        "adding problem, 600 steps, LSTM",
        "mse",
        "< 0.001",
        f"{{made}} --target sum --cell lstm --hidden 64 --epochs 20 {SEEDS}",
        adding,
    ),
    Result(
        "adding_gru",
        "adding problem, 600 steps, GRU",
        "mse",
        "< 0.001",
        f"{{made}} --target sum --cell gru --hidden 64 --epochs 5 {SEEDS}",
        adding,
    ),
    Result(
        "fsdd",
        "fsdd, spoken digits, official split",
        "accuracy",
        "≥ 98.4 %",
        "{made}/rest.csv --test {made}/test.csv --target digit --input audio --set data.valid=0 --epochs 20 "
        f"--hidden 64 --set audio.speed=0.1 {SEEDS}",
        spoken_digits.digits,
    ),
    Result(
        "fsdd_loso",
        "fsdd, spoken digits, each speaker left out in turn",
        "accuracy",
        "reported",
        "{made}/all.csv --target digit --input audio --id speaker --set data.fold={fold}/6 --set data.valid=0 "
        f"--epochs 15 --hidden 64 --set audio.speed=0.2 --set audio.mask_time=0.1 {SEEDS}",
        spoken_digits.digits,
        folds=6,
    ),
    Result(
        "fsdd_ctc",
        "fsdd, three to seven digits joined, a symbol a word",
        "wer",
        "≤ 4 %",
        "{made}/train.csv --valid {made}/valid.csv --test {made}/test.csv --target text --input audio --epochs 14 "
        "--hidden 64 --set audio.stack=3 --set audio.speed=0.1 --set data.unit=word --set training.batch_size=16 "
        f"{SEEDS}",
        spoken_digits.numbers,
    ),
    Result(
        "espeak",
        "sentences of 31 phrases, spoken by espeak-ng; a voice never learned from",
        "cer",
        "≤ 10 %",
        "{made}/train.csv --valid {made}/valid.csv --test {made}/test.csv --target text --input audio --epochs 20 "
        "--hidden 96 --set audio.stack=3 --set audio.speed=0.25 --set audio.mask_bands=0.1 "
        f"--set training.batch_size=16 {SEEDS}",
        spoken_sentences.sentences,
    ),
)


def run(result: Result, data: Path, work: Path, folds: Sequence[int] = ()) -> dict[str, Any]:
    """Runs the command (once a fold) and keeps what its runs say; of some ``folds`` alone nothing is kept."""
    made = result.make(data, work) if result.make else Path()
    runs = []
    for fold in (folds or range(1, result.folds + 1)) if result.folds else (0,):
        out = work / (f"{result.name}-{fold}" if fold else result.name)
        text = result.command.format(data=data, made=made, fold=fold)
        if not (out / "metrics.json").exists():
            arguments = ["resume", str(out)] if out.exists() else ["train", *text.split(), "--out", str(out)]
            subprocess.run([sys.executable, "-m", "ostinato", *arguments], check=True)
        runs.append(json.loads((out / "metrics.json").read_text(encoding="utf-8")))
    if folds and result.folds:
        print(result.name, *(f"{key} {_spread(key, _seeds(runs))}" for key in _seeds(runs)), f"folds {folds}", sep="  ")
        return {}
    kept = {
        "command": "ostinato train "
        + result.command.format(
            data="$OSTINATO_DATA", made=Path(made.name), fold=f"1…{result.folds}" if result.folds else ""
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} threads",
        "seconds": round(mean(one["seconds"] for one in runs), 1),
        "model": _seeds(runs),
        "baselines": {
            name: {key: mean(one["test"]["baselines"][name][key] for one in runs) for key in found}
            for name, found in runs[0]["test"]["baselines"].items()
        },
        "verdict": runs[0]["verdict"] if not result.folds else "",
        "memory": runs[0]["memory"]["text"],
        "what": runs[0]["model"],
    }
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{result.name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept


def _seeds(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Each metric of each seed, the mean over the folds."""
    seeds = runs[0].get("seeds", {}).get("metrics", {"0": runs[0]["test"]["model"]})
    found = [[one.get("seeds", {}).get("metrics", {"0": one["test"]["model"]})[seed] for one in runs] for seed in seeds]
    return {key: [mean(fold[key] for fold in folds) for folds in found] for key in found[0][0]}


def page() -> str:
    """docs/results.md, from what was kept."""
    lines = [(HERE / "results.head.md").read_text(encoding="utf-8")]
    lines.append(
        "| data | measure | wanted | model, mean ± sd of 3 seeds | best baseline |\n| --- | --- | --- | --- | --- |"
    )
    kept = {one.name: KEPT / f"{one.name}.json" for one in RESULTS}
    found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in kept.items() if path.exists()}
    for one in RESULTS:
        if one.name in found:
            lines.append(_row(one, found[one.name]))
    text = "\n".join(lines) + "\n"
    for one in RESULTS:
        if one.name in found:
            text += _section(one, found[one.name])
    return text + nab.section()


def _row(result: Result, kept: dict[str, Any]) -> str:
    best = _best(result, kept["baselines"])
    rival = f"{best}: {_shown(result.measure, kept['baselines'][best][result.measure])}"
    return (
        f"| {result.title} | {result.measure} | {result.wanted} | {_spread(result.measure, kept['model'])} | {rival} |"
    )


def _best(result: Result, baselines: dict[str, dict[str, float]]) -> str:
    return (max if result.measure in HIGHER else min)(baselines, key=lambda name: baselines[name][result.measure])


def _section(result: Result, kept: dict[str, Any]) -> str:
    metrics = [key for key in kept["model"] if key in next(iter(kept["baselines"].values()))]
    head = " | ".join(metrics)
    rows = [f"| model | {' | '.join(_spread(key, kept['model']) for key in metrics)} |"]
    for name, found in kept["baselines"].items():
        rows.append(f"| {name} | {' | '.join(_shown(key, found[key]) for key in metrics)} |")
    cost = f"{kept['seconds']} seconds a command, with all seeds and baselines"
    return (
        f"\n## {result.title}\n\n```\n{kept['command']}\n```\n\n{kept['what']}. {cost} "
        f"({kept['machine']}; {kept['date']}).\n\n"
        f"| | {head} |\n| --- |{' --- |' * len(metrics)}\n"
        + "\n".join(rows)
        + f"\n\n{kept['verdict']} {kept['memory']}\n"
    )


def _spread(key: str, model: dict[str, list[float]]) -> str:
    values = model[key]
    if len(values) < 2:
        return _shown(key, values[0])
    return f"{_shown(key, mean(values))} ± {_shown(key, stdev(values))}"


def _shown(key: str, value: float) -> str:
    if key in PERCENT:
        return f"{100 * value:.2f} %"
    return f"{value:.4g}" if value >= 0.001 else f"{value:.1e}"


def main() -> None:
    """Runs what is asked for and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(one.name for one in RESULTS)}; none: all")
    parser.add_argument("--folds", nargs="+", type=int, default=(), help="only these folds, of results that have some")
    parser.add_argument("--page", action="store_true", help="only write the page from what was kept")
    chosen = parser.parse_args()
    known = {one.name: one for one in RESULTS}
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"no result {unknown[0]}; there are {', '.join(known)}")
    if not chosen.page:
        if "OSTINATO_DATA" not in os.environ:
            parser.error("OSTINATO_DATA must name the folder of the real data sets")
        WORK.mkdir(exist_ok=True)
        for name in chosen.names or known:
            run(known[name], Path(os.environ["OSTINATO_DATA"]), WORK, chosen.folds)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
