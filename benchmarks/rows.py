"""The rows of docs/results.md: each a command on a real data set, what is looked at, and what others have published."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import spoken_digits, spoken_sentences
from benchmarks.moving import moving_digits
from ostinato.runs.demo_data import write_adding


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
    """One row of the page: what is run, what is looked at, and what is ``wanted`` of it and ``published`` elsewhere."""

    name: str
    title: str
    measure: str
    wanted: str
    command: str
    make: Callable[[Path, Path], Path] | None = None
    folds: int = 0
    published: str = "–"


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
        "≤ 5 %",
        "{data}/dna_splice/splice.csv --target Class --id Donor --set data.group=[^-]+ --set data.fold={fold}/10 "
        "--epochs 20 --hidden 64 --set model.pool=middle --set model.embedding=32 --set model.embedding_dropout=0.3 "
        f"{SEEDS}",
        folds=10,
        published="6.3 %",
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
        published="77.2 %",
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
        published="95.4 % Stanza",
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
        published="84.9 % LSTM with phrase labels",
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
        published="28.1 GRU with attention, 36.5 Transformer",
    ),
    Result(
        "ptb_characters",
        "ptb, characters",
        "bits",
        "≤ 1.36",
        "{data}/ptb/ptb.train.txt --valid {data}/ptb/ptb.valid.txt --test {data}/ptb/ptb.test.txt --epochs 8 "
        f"--hidden 768 --set model.dropout=0.2 --set training.window=100 --set optimizer.learning_rate=0.002 {SEEDS}",
        published="1.36 LSTM",
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
        published="114.5 small, 82.7 regularised medium",
    ),
    Result(
        "shakespeare",
        "tiny_shakespeare, 90/10 by position",
        "nats",
        "≤ 1.60 in three minutes a seed, and below a 5-gram",
        "{data}/tiny_shakespeare/input.txt --set data.valid=0.02 --set data.test=0.1 --epochs 5 --hidden 512 "
        f"--set training.window=64 --set model.dropout=0.2 {SEEDS}",
        published="1.88 nanoGPT in 3 CPU minutes, 1.47 best on a GPU",
    ),
    Result(
        "jsb",
        "poly_music JSB chorales, the next of 88 keys each",
        "nats",
        "≤ 8.43",
        "{made}/train --valid {made}/valid --test {made}/test --set music.steps_per_beat=2 " + SEEDS,
        chorales,
        published="LSTM 8.45, GRU 8.43",
    ),
    Result(
        "klon_05",
        "klon_guitar_pedal, gain 0.5",
        "esr",
        "≤ 0.0050",
        "{data}/klon_guitar_pedal/train/DataIn {data}/klon_guitar_pedal/train/Data50 "
        "--test {data}/klon_guitar_pedal/valid/DataIn --test {data}/klon_guitar_pedal/valid/Data50 "
        f"--epochs 200 --set task.warm_up=500 {SEEDS}",
        published="0.0050 GRU of 8",
    ),
    Result(
        "klon_10",
        "klon_guitar_pedal, gain 1.0",
        "esr",
        "≤ 0.0172",
        "{data}/klon_guitar_pedal/train/DataIn {data}/klon_guitar_pedal/train/Data100 "
        "--test {data}/klon_guitar_pedal/valid/DataIn --test {data}/klon_guitar_pedal/valid/Data100 "
        f"--epochs 200 --set task.warm_up=500 {SEEDS}",
        published="0.0172 GRU of 8",
    ),
    Result(
        "m4",
        "m4 hourly, 48 steps",
        "mase",
        "≤ 0.95",
        f"{{data}}/m4/Hourly-train.csv --test {{data}}/m4/Hourly-test.csv --task forecast --horizon 48 {SEEDS}",
        published="0.893 ES-RNN",
    ),
    Result(
        "etth1",
        "etth ETTh1, 96 steps, all channels",
        "scaled_mse",
        "≤ 0.360",
        "{data}/etth/ETTh1.csv --task forecast --horizon 96 --set data.rows=14400 --set data.valid=2880 "
        f"--set data.test=2880 {SEEDS}",
        published="0.351 SegRNN",
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
        published="LSTM 87.2 %, GRU 96.2 % with 60,000 images",
    ),
    Result(
        "gestures",
        "gesture_point_history, the last blocks of each gesture",
        "accuracy",
        "≥ 95 %",
        "{data}/gesture_point_history/point_history.csv --target column_1 --set data.split=blocks --set data.test=0.2 "
        f"--set model.segment=2 --hidden 64 --epochs 10 --set task.label_smoothing=0.1 {SEEDS}",
        published="97 % on a leaky split",
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
        published="98.4 % BiLSTM",
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
