"""Sentences to speak: English from templates, other languages from stock sentences and their shuffled words.

The meaning is irrelevant. Labials, rounded and open vowels are frequent in the templates, so that every mouth shape is.
All sentences were written for this project.
"""

import re

import numpy as np

_TEMPLATES = (
    "the N of the N was A and the N Vd it P the N",
    "I do not think that you can V the A N before D",
    "when we Vd the N, everybody in the N Vd",
    "please V the A N P the N, and then V it again",
    "what did your N say about the A N?",
    "my N Vd M N P the N last D",
    "it is A to V, but it is never A to V a N",
    "they could V more N if the N were A",
    "so, how would you V this N?",
    "on D we V the N; on D we V the N",
    "yes, of course, the A N will V you",
    "no, I have never Vd such a A N in my life",
    "let me tell you something about the N P the N",
    "M people Vd the N because it was A",
    "we must V, we must V, and above all we must V the N",
    "thank you very much, N, it was a A N",
    "I believe the A N should V every N P this country",
    "hello, and welcome to the A N P the N",
    "oh, that is a A N; may I V it?",
    "N, N and N are A, but a N is A",
)

_WORDS = {
    "N": "government people problem family mother father music money power table window bottle apple paper village "
    "river mountain morning evening woman man baby picture voice mouth finger shoulder house mouse boat coat room "
    "moon book foot fish shoe judge church measure garage thumb brother weather feather lamp row top job pop bee "
    "tree sea fire flower hour idea area question answer language bank thing thought song law water daughter world "
    "bird girl service future nature movie wave wolf wool wheel yellow year ship cup egg onion orange umbrella "
    "uniform quiz jewel vision youth path",
    "V": "bring take make move improve prove believe leave live love give find follow open jump help watch wash "
    "push pull choose wish teach reach speak break build boil throw show know think breathe bathe sing hope "
    "climb pump bump form warm feed free phone call fall solve serve use view employ enjoy announce amuse",
    "A": "beautiful wonderful important impossible famous awful warm blue purple deep open big small public "
    "private fresh funny loud proud cheap rich wide bright awake wooden simple visible available powerful mobile "
    "natural royal cool new old foolish furious usual smooth thirsty amber gentle heavy",
    "P": "of from by above below with without for before behind upon over near in on",
    "D": "Monday Tuesday Wednesday Friday March August November winter summer",
    "M": "two three four five six seven eight nine ten eleven twelve forty ninety a~hundred",
}
_LISTS = {key: tuple(word.replace("~", " ") for word in words.split()) for key, words in _WORDS.items()}

_STOCK = {
    "de": "Guten Morgen, meine Damen und Herren, ich freue mich, Sie heute begrüßen zu dürfen|Wir müssen die "
    "Wirtschaft unseres Landes stärken und über die Zukunft sprechen|Meine Mutter öffnet das Fenster und ruft laut "
    "über die Straße|Das Problem ist, dass niemand weiß, was morgen passieren wird|Fünf schöne Vögel fliegen über "
    "den blauen Fluss",
    "fr": "Bonjour à tous, je voudrais vous parler de la situation de notre pays|Il faut que nous puissions "
    "trouver une bonne solution pour tout le monde|Ma petite sœur mange une pomme dans la cuisine avec beaucoup de "
    "beurre|Pourquoi as-tu peur de la pluie et du vent|Un homme heureux vaut mieux que deux hommes fatigués",
    "es": "Buenos días a todos, me gustaría hablar sobre el futuro de nuestro pueblo|La mujer compró pan, manzanas "
    "y un poco de vino para la fiesta|Mi abuela vive en una casa blanca cerca del río|Por favor, abre la ventana "
    "porque hace mucho calor",
    "it": "Buongiorno a tutti, oggi vorrei parlare del futuro della nostra città|La mia famiglia vive in una "
    "piccola casa vicino al mare|Non è possibile aprire la porta senza la chiave|Il bambino mangia una mela rossa "
    "e beve un bicchiere d'acqua|Domani mattina andremo al mercato per comprare il pesce|Perché nessuno mi ha mai "
    "detto questa cosa",
    "pt": "Bom dia, meus amigos, vamos falar sobre o problema da nossa cidade|A minha mãe comprou um bolo bonito "
    "para a festa|O homem abriu a porta e viu o mar azul|Ninguém sabe o que vai acontecer amanhã",
    "ru": "Доброе утро, я хотел бы поговорить о нашем будущем|Моя бабушка живёт в маленьком доме около реки|Мы "
    "должны понять, почему это произошло и что делать дальше|Пожалуйста, откройте окно, потому что здесь очень "
    "жарко|Большая белая птица летит над полем|Правительство приняло новый закон о школах",
    "pl": "Dzień dobry państwu, chciałbym powiedzieć kilka słów o naszej przyszłości|Moja babcia mieszka w małym "
    "domu niedaleko rzeki|Proszę otworzyć okno, bo jest bardzo gorąco|Wielki biały ptak leci nad polem",
    "cs": "Dobré ráno, chtěl bych vám říct něco o naší budoucnosti|Moje babička bydlí v malém domě u velké "
    "řeky|Prosím, otevřete okno, protože je tu horko|Bílý pták letí nad modrou vodou|Zítra ráno pojedeme lodí na "
    "sever|Maminka koupila jablka a chléb",
    "tr": "Günaydın arkadaşlar, bugün ülkemizin geleceği hakkında konuşmak istiyorum|Annem büyük bir pazardan elma "
    "ve ekmek aldı|Lütfen pencereyi açın çünkü burası çok sıcak|Mavi kuş ağacın üstünde şarkı söylüyor",
    "fi": "Hyvää huomenta kaikille, haluan puhua meidän maamme tulevaisuudesta|Äitini osti torilta omenoita ja "
    "leipää|Ole hyvä ja avaa ikkuna, koska täällä on kuuma|Suuri valkoinen lintu lentää sinisen joen yli|Huomenna "
    "aamulla menemme laivalla saarelle|Meidän täytyy ymmärtää miksi tämä tapahtui",
    "ca": "Bon dia a tothom, avui vull parlar del futur de la nostra ciutat|La meva família viu en una casa petita "
    "a prop del mar|Si us plau, obre la finestra perquè fa molta calor|El nen menja una poma vermella i beu un got "
    "d'aigua|Demà al matí anirem al mercat a comprar peix|Un ocell blanc vola per sobre del riu",
    "nl": "Goedemorgen allemaal, ik wil graag over onze toekomst praten|Mijn moeder kocht appels en brood op de "
    "markt|Doe alsjeblieft het raam open, want het is hier erg warm|De grote witte vogel vliegt over de blauwe "
    "rivier",
    "sv": "God morgon allihopa, jag vill gärna tala om vår framtid|Min mormor bor i ett litet hus nära "
    "floden|Öppna fönstret är du snäll, för det är mycket varmt här|En stor vit fågel flyger över det blå vattnet",
    "ja": "みなさん おはようございます きょうは わたしたちの みらいについて はなします|わたしの ははは いちばで "
    "りんごと ぱんを かいました|まどを あけてください とても あついです|しろい おおきな とりが かわの うえを "
    "とんでいます",
    "ko": "여러분 안녕하세요 오늘은 우리의 미래에 대해 이야기하겠습니다|우리 어머니는 시장에서 사과와 빵을 "
    "샀습니다|창문을 열어 주세요 너무 더워요|하얀 새가 푸른 강 위를 날아갑니다",
    "hi": "सुप्रभात दोस्तों, आज मैं हमारे देश के भविष्य के बारे में बात करूँगा|मेरी माँ ने बाज़ार से सेब और रोटी "
    "खरीदी|कृपया खिड़की खोलिए क्योंकि यहाँ बहुत गर्मी है|बड़ा सफ़ेद पक्षी नदी के ऊपर उड़ रहा है",
    "ar": "صباح الخير يا أصدقاء، أريد أن أتحدث عن مستقبل بلادنا|اشترت أمي التفاح والخبز من السوق|من فضلك افتح "
    "النافذة لأن الجو حار جدا|الطائر الأبيض يطير فوق النهر",
    "id": "Selamat pagi semuanya, saya ingin berbicara tentang masa depan kita|Ibu saya membeli apel dan roti di "
    "pasar|Tolong buka jendela karena di sini panas sekali|Burung putih besar terbang di atas sungai biru",
}

LANGUAGES: tuple[str, ...] = ("en", *_STOCK)
"""Languages that `sentence` can write, as two-letter codes."""


def sentence(rng: np.random.Generator, language: str = "en") -> str:
    """One random sentence with its punctuation. Raises ValueError for a language that is not in LANGUAGES."""
    if language == "en":
        return _english(rng)
    if language not in _STOCK:
        raise ValueError(
            f"No sentences are written for the language {language!r}; choose one of {', '.join(LANGUAGES)}."
        )
    stock = _STOCK[language].split("|")
    if rng.random() < 0.4:
        return stock[rng.integers(len(stock))] + "."
    words = re.sub("[,،]", "", " ".join(stock)).split()
    drawn = [words[i] for i in rng.integers(len(words), size=rng.integers(5, 13))]
    if len(drawn) > 7:
        drawn[len(drawn) // 2] += ","
    return " ".join(drawn) + _final_mark(rng)


def _english(rng: np.random.Generator) -> str:
    def fill(match: re.Match) -> str:
        key = match[0][0]
        word = _LISTS[key][rng.integers(len(_LISTS[key]))]
        return word + ("d" if word.endswith("e") else "ed") if match[0] == "Vd" else word

    template = _TEMPLATES[rng.integers(len(_TEMPLATES))]
    text = re.sub(r"\bVd\b|\b[NVAPDM]\b", fill, template)
    return text if text.endswith("?") else text + _final_mark(rng)


def _final_mark(rng: np.random.Generator) -> str:
    return "...?!"[rng.integers(5)]
