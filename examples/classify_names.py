"""A label for a sequence: the language a surname comes from, learned from a list of names."""

from ostinato import Classifier

NAMES = {
    "Italian": "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa "
    "Giordano Mancini Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini "
    "Leone Longo Gentile Martinelli Vitale Lombardo Serra Coppola Marchetti Parisi Villa Ferraro Fabbri Bianco",
    "Japanese": "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida Yamada Sasaki "
    "Yamaguchi Matsumoto Inoue Kimura Hayashi Shimizu Yamazaki Mori Abe Ikeda Hashimoto Yamashita Ishikawa Nakajima "
    "Maeda Fujita Ogawa Goto Okada Hasegawa Murakami Kondo Ishii Saito Sakamoto Endo Aoki Fujii Nishimura",
    "Polish": "Nowak Kowalski Wisniewski Wojcik Kowalczyk Kaminski Lewandowski Zielinski Szymanski Wozniak Dabrowski "
    "Kozlowski Jankowski Mazur Wojciechowski Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zajac Pawlowski "
    "Michalski Krol Wieczorek Jablonski Wrobel Nowakowski Majewski Olszewski Stepien Malinowski Jaworski Adamczyk",
}


def main() -> None:
    names = [name for names in NAMES.values() for name in names.split()]
    languages = [language for language, names in NAMES.items() for _ in names.split()]

    held_out = slice(None, None, 5)  # every fifth name is kept for the test
    learned = [place for place in range(len(names)) if place % 5]
    model = Classifier(cell="gru", hidden=32, epochs=25, valid=0.0, batch_size=8, learning_rate=0.01)
    model.fit([names[place] for place in learned], [languages[place] for place in learned])

    score = model.score(names[held_out], languages[held_out])
    print(f"{len(learned)} names learned, {len(names[held_out])} held out: {score:.0%} right")
    new = ["Kurosawa", "Mickiewicz", "Botticelli", "Miyazaki", "Szymborska", "Vivaldi"]
    for name, row in zip(new, model.predict_proba(new), strict=True):
        told = ", ".join(f"{label} {chance:.2f}" for label, chance in zip(model.classes_, row, strict=True))
        print(f"{name:11} {told}")


if __name__ == "__main__":
    main()
