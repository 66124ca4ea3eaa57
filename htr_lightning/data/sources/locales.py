"""What languages write besides the words of a dictionary: names, dates, sums of money, quotes, abbreviations."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locale:
    """How a language writes what is not a word of its dictionary.

    Attributes:
        months: the names of the months.
        dates: patterns with ``{d}``, ``{month}`` and ``{y}``.
        money: patterns with ``{n}`` (whole) or ``{c}`` (with cents).
        marks: decimal mark and separator of thousands.
        quotes: opening and closing, space included where the language sets one.
        titles: what stands before a name.
        abbreviations: other abbreviations.
        names: people and places.
        elisions: what is joined before a vowel, apostrophe included.
        letters: the words of one letter.
        capital_share: share of the words, 0..0.25, that begin with a capital within a sentence.
        spaced_marks: whether a space may stand before ``? ! ; :``.
    """

    months: tuple[str, ...] = ()
    dates: tuple[str, ...] = ("{d}.{m}.{y}", "{d}/{m}/{y}", "{y}")
    money: tuple[str, ...] = ("{c} €", "{n} €")
    marks: tuple[str, str] = (",", " ")
    quotes: tuple[tuple[str, str], ...] = (("“", "”"), ('"', '"'))
    titles: tuple[str, ...] = ("Dr.",)
    abbreviations: tuple[str, ...] = ("etc.",)
    names: tuple[str, ...] = ("Anna", "Maria", "Peter", "Karl", "Berlin", "Paris", "Roma", "Madrid", "London")
    elisions: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    capital_share: float = 0.06
    spaced_marks: bool = False


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOCALES = {
    "en": Locale(
        months=_words("January February March April May June July August September October November December"),
        dates=(
            "{d} {month} {y}",
            "{month} {d}, {y}",
            "{month} {d}th",
            "{d}/{m}/{y}",
            "{y}",
            "the {d}th of {month}",
        ),
        money=("£{n}", "£{c}", "${c}", "${n}", "{n} pounds", "{c} €"),
        marks=(".", ","),
        quotes=(('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’")),
        titles=_words("Mr. Mrs. Mr Mrs Miss Dr. Sir Rev. Capt. St."),
        abbreviations=_words("etc. e.g. i.e. No. vol. pp. approx. a.m. p.m. Co. & viz. cf. B.C. U.S."),
        names=_words(
            "Mary John Elizabeth William Margaret James Alice George Emma Henry Jane Thomas Smith "
            "Jones Taylor Brown Wilson Davies Evans Walker Wright Hughes Green London Oxford York "
            "Bristol Leeds Dublin Boston Kent Europe England France Africa Victoria Quentin Zachary "
            "Xavier Ursula Iris Oliver"
        ),
        letters=("a", "i"),
    ),
    "fr": Locale(
        months=_words("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        dates=("{d} {month} {y}", "le {d} {month}", "1er {month} {y}", "{d}/{m}/{y}", "en {y}"),
        money=("{c} €", "{n} €", "{n} francs", "{n} F"),
        quotes=(("« ", " »"), ("«", "»"), ('"', '"'), ("“", "”")),
        titles=_words("M. Mme Mlle Dr Me Mgr St MM."),
        abbreviations=_words("etc. c.-à-d. p.ex. cf. n° chap. av. env. ms. Cie id. f° r° v°"),
        names=_words(
            "Marie Jean Louise Pierre Élisabeth Jacques François Hélène André René Étienne Émile Noël "
            "Zoé Martin Bernard Dubois Durand Lefèvre Moreau Girard Fournier Québec Paris Lyon Nîmes "
            "Orléans Besançon Genève Bordeaux Évreux Europe France Italie Île Où Çà Œuvre Ursule "
            "Xavier Yvonne Kléber Walter"
        ),
        elisions=_words("l' d' qu' j' n' s' c' m' t' L' D' qu' l' d'"),
        letters=("à", "y", "a"),
        spaced_marks=True,
    ),
    "de": Locale(
        months=_words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        dates=("{d}. {month} {y}", "am {d}. {month}", "{d}.{m}.{y}", "{y}"),
        money=("{c} €", "{n} €", "{n} Mark", "{n} M."),
        marks=(",", "."),
        quotes=(("„", "“"), ("„", "”"), ('"', '"'), ("»", "«")),
        titles=_words("Herr Frau Dr. Prof. Hr. Frl. St."),
        abbreviations=_words("usw. z.B. d.h. u.a. bzw. Nr. ca. vgl. Bd. St. ff. u. v."),
        names=_words(
            "Anna Karl Friedrich Käthe Jürgen Günther Ursula Österreich Müller Schmidt Weiß Schäfer "
            "Köhler Berlin München Köln Zürich Wien Ärzte Übung Quelle Xanten York Leipzig Jena Polen "
            "Italien"
        ),
        capital_share=0.25,
    ),
    "es": Locale(
        months=_words("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        dates=("{d} de {month} de {y}", "el {d} de {month}", "{d}/{m}/{y}", "{y}"),
        marks=(",", "."),
        quotes=(("«", "»"), ("“", "”"), ('"', '"')),
        titles=_words("D. Dña. Sr. Sra. Dr. Fr. Vd."),
        abbreviations=_words("etc. p.ej. núm. pág. aprox. Cía. ss."),
        names=_words(
            "María José Ángel Íñigo Óscar Úrsula Muñoz García López Núñez Pérez Madrid Sevilla Cádiz "
            "Málaga León España Quito Walter Xavier Yolanda Zaragoza"
        ),
        letters=("a", "y", "o", "e"),
    ),
    "it": Locale(
        months=_words("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        dates=("{d} {month} {y}", "il {d} {month}", "{d}/{m}/{y}", "nel {y}"),
        money=("{c} €", "{n} €", "{n} lire", "L. {n}"),
        marks=(",", "."),
        quotes=(("«", "»"), ("“", "”"), ('"', '"')),
        titles=_words("Sig. Sig.ra Dott. Prof. On. S."),
        abbreviations=_words("ecc. es. pag. n. circa cfr. sec."),
        names=_words(
            "Maria Giuseppe Francesca Niccolò Zeno Ugo Quirino Rossi Bianchi Ferrari Esposito Roma "
            "Milano Napoli Forlì Venezia Italia Europa Walter Xenia Yara Kurt Jacopo"
        ),
        elisions=_words("l' d' un' dell' all' nell' L'"),
        letters=("a", "e", "è", "o"),
    ),
}
