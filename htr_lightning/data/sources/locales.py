"""Per-language text besides dictionary words: names, dates, amounts of money, quotation marks, abbreviations."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locale:
    """How one language writes everything that is not a dictionary word.

    Attributes:
        months: names of the months.
        dates: patterns with ``{d}`` (day), ``{month}`` (its name), ``{m}`` (its two digits) and ``{y}`` (year).
        money: patterns with ``{n}`` (a whole amount) or ``{c}`` (an amount with cents).
        separators: decimal separator and thousands separator.
        quotes: pairs of opening and closing quotation marks, including the space where the language has one.
        brackets: opening and closing bracket.
        end_marks: what a sentence may end with, the frequent ones several times.
        comma: what may follow a word within a sentence.
        joint: what joins two words to one.
        titles: titles before a name.
        abbreviations: other abbreviations.
        names: names of people and places.
        elisions: shortened words before a vowel, including the apostrophe.
        one_letter_words: words of one letter.
        capitalized_fraction: fraction of the words, 0..0.25, that begin with a capital within a sentence.
        has_spaced_marks: whether a space may precede ``? ! ; :``.
    """

    months: tuple[str, ...] = ()
    dates: tuple[str, ...] = ("{d}.{m}.{y}", "{d}/{m}/{y}", "{y}")
    money: tuple[str, ...] = ("{c} €", "{n} €")
    separators: tuple[str, str] = (",", " ")
    quotes: tuple[tuple[str, str], ...] = (("“", "”"), ('"', '"'))
    brackets: tuple[str, str] = ("(", ")")
    end_marks: tuple[str, ...] = (".", ".", ".", ".", ".", "!", "?", "?", ";", ":", "...", ",")
    comma: str = ","
    joint: str = "-"
    titles: tuple[str, ...] = ("Dr.",)
    abbreviations: tuple[str, ...] = ("etc.",)
    names: tuple[str, ...] = ("Anna", "Maria", "Peter", "Karl", "Berlin", "Paris", "Roma", "Madrid", "London")
    elisions: tuple[str, ...] = ()
    one_letter_words: tuple[str, ...] = ()
    capitalized_fraction: float = 0.06
    has_spaced_marks: bool = False


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOCALES = {
    "en": Locale(
        months=_split("January February March April May June July August September October November December"),
        dates=(
            "{d} {month} {y}",
            "{month} {d}, {y}",
            "{month} {d}th",
            "{d}/{m}/{y}",
            "{y}",
            "the {d}th of {month}",
        ),
        money=("£{n}", "£{c}", "${c}", "${n}", "{n} pounds", "{c} €"),
        separators=(".", ","),
        quotes=(('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’")),
        titles=_split("Mr. Mrs. Mr Mrs Miss Dr. Sir Rev. Capt. St."),
        abbreviations=_split("etc. e.g. i.e. No. vol. pp. approx. a.m. p.m. Co. & viz. cf. B.C. U.S."),
        names=_split(
            "Mary John Elizabeth William Margaret James Alice George Emma Henry Jane Thomas Smith "
            "Jones Taylor Brown Wilson Davies Evans Walker Wright Hughes Green London Oxford York "
            "Bristol Leeds Dublin Boston Kent Europe England France Africa Victoria Quentin Zachary "
            "Xavier Ursula Iris Oliver"
        ),
        one_letter_words=("a", "i"),
    ),
    "fr": Locale(
        months=_split("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        dates=("{d} {month} {y}", "le {d} {month}", "1er {month} {y}", "{d}/{m}/{y}", "en {y}"),
        money=("{c} €", "{n} €", "{n} francs", "{n} F"),
        quotes=(("« ", " »"), ("«", "»"), ('"', '"'), ("“", "”")),
        titles=_split("M. Mme Mlle Dr Me Mgr St MM."),
        abbreviations=_split("etc. c.-à-d. p.ex. cf. n° chap. av. env. ms. Cie id. f° r° v°"),
        names=_split(
            "Marie Jean Louise Pierre Élisabeth Jacques François Hélène André René Étienne Émile Noël "
            "Zoé Martin Bernard Dubois Durand Lefèvre Moreau Girard Fournier Québec Paris Lyon Nîmes "
            "Orléans Besançon Genève Bordeaux Évreux Europe France Italie Île Où Çà Œuvre Ursule "
            "Xavier Yvonne Kléber Walter"
        ),
        elisions=_split("l' d' qu' j' n' s' c' m' t' L' D' qu' l' d'"),
        one_letter_words=("à", "y", "a"),
        has_spaced_marks=True,
    ),
    "de": Locale(
        months=_split("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        dates=("{d}. {month} {y}", "am {d}. {month}", "{d}.{m}.{y}", "{y}"),
        money=("{c} €", "{n} €", "{n} Mark", "{n} M."),
        separators=(",", "."),
        quotes=(("„", "“"), ("„", "”"), ('"', '"'), ("»", "«")),
        titles=_split("Herr Frau Dr. Prof. Hr. Frl. St."),
        abbreviations=_split("usw. z.B. d.h. u.a. bzw. Nr. ca. vgl. Bd. St. ff. u. v."),
        names=_split(
            "Anna Karl Friedrich Käthe Jürgen Günther Ursula Österreich Müller Schmidt Weiß Schäfer "
            "Köhler Berlin München Köln Zürich Wien Ärzte Übung Quelle Xanten York Leipzig Jena Polen "
            "Italien"
        ),
        capitalized_fraction=0.25,
    ),
    "es": Locale(
        months=_split("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        dates=("{d} de {month} de {y}", "el {d} de {month}", "{d}/{m}/{y}", "{y}"),
        separators=(",", "."),
        quotes=(("«", "»"), ("“", "”"), ('"', '"')),
        titles=_split("D. Dña. Sr. Sra. Dr. Fr. Vd."),
        abbreviations=_split("etc. p.ej. núm. pág. aprox. Cía. ss."),
        names=_split(
            "María José Ángel Íñigo Óscar Úrsula Muñoz García López Núñez Pérez Madrid Sevilla Cádiz "
            "Málaga León España Quito Walter Xavier Yolanda Zaragoza"
        ),
        one_letter_words=("a", "y", "o", "e"),
    ),
    "it": Locale(
        months=_split("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        dates=("{d} {month} {y}", "il {d} {month}", "{d}/{m}/{y}", "nel {y}"),
        money=("{c} €", "{n} €", "{n} lire", "L. {n}"),
        separators=(",", "."),
        quotes=(("«", "»"), ("“", "”"), ('"', '"')),
        titles=_split("Sig. Sig.ra Dott. Prof. On. S."),
        abbreviations=_split("ecc. es. pag. n. circa cfr. sec."),
        names=_split(
            "Maria Giuseppe Francesca Niccolò Zeno Ugo Quirino Rossi Bianchi Ferrari Esposito Roma "
            "Milano Napoli Forlì Venezia Italia Europa Walter Xenia Yara Kurt Jacopo"
        ),
        elisions=_split("l' d' un' dell' all' nell' L'"),
        one_letter_words=("a", "e", "è", "o"),
    ),
    "zh": Locale(
        months=_split("一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月"),
        dates=("{y}年{month}{d}日", "{y}年{month}", "{month}{d}日", "{y}年", "{y}"),
        money=("{n}元", "{c}元", "¥{n}"),
        separators=(".", ","),
        quotes=(("“", "”"), ("「", "」"), ("《", "》")),
        brackets=("（", "）"),
        end_marks=("。", "。", "。", "。", "。", "！", "？", "？", "；", "：", "…", "，"),
        comma="，",
        joint="、",
        titles=_split("小 老 教授 医生"),
        abbreviations=("等", "等等"),
        names=_split("王伟 李娜 张敏 刘洋 陈静 杨勇 赵丽 黄强 周杰 吴芳 北京 上海 南京 广州 西安 成都 杭州 苏州"),
        capitalized_fraction=0.0,
    ),
}
