/** What tells in one language whether a sentence goes on. All in lower case. */
export interface TurnPhrases {
  /** Sounds of who is thinking. */
  readonly fillers: readonly string[];
  /** Words after which something has to come: conjunctions, articles, prepositions, possessives. */
  readonly joiners: readonly string[];
  /** Words that numbers, addresses and spellings are dictated with. */
  readonly numbers: readonly string[];
  /** Whole answers. */
  readonly complete: readonly string[];
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);
const phrases = (text: string): readonly string[] => text.split(',').map((phrase) => phrase.trim());

/** By the language's part of a BCP 47 code. */
export const TURN_PHRASES: Readonly<Record<string, TurnPhrases>> = {
  en: {
    fillers: words('uh um uhm erm er hmm hm mm'),
    joiners: words(
      `and or but because so if when while although unless until that which who whose than then the a an my your his
       her our their this these those of to for from with without at by into onto about between during is are was were
       am i'm it's i'd i'll we're my the very not dot dash hyphen slash underscore plus also let's`,
    ),
    numbers: words(
      `zero oh one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy
       eighty ninety hundred double triple`,
    ),
    complete: phrases(
      `yes, no, yeah, yep, nope, ok, okay, sure, right, correct, exactly, thanks, thank you, thank you very much, please,
       yes please, no thanks, no thank you, hello, hi, bye, goodbye, stop, that's all, that's it, nothing else,
       i don't know, all right, of course, go ahead`,
    ),
  },
  de: {
    fillers: words('äh ähm hm hmm öh öhm tja naja'),
    joiners: words(
      `und oder aber weil dass ob wenn als während obwohl damit denn sondern sowie der die das den dem des ein eine einen
       einem einer mein meine meinen dein ihr ihre unser von zu zum zur für mit ohne aus bei nach über unter zwischen in im
       am ist sind war ich sehr nicht punkt strich minus unterstrich`,
    ),
    numbers: words(
      `null eins ein zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig fünfzig sechzig
       siebzig achtzig neunzig hundert`,
    ),
    complete: phrases(
      `ja, nein, doch, genau, richtig, gut, okay, ok, danke, danke schön, vielen dank, bitte, ja bitte, nein danke, hallo,
       tschüss, auf wiederhören, stopp, das ist alles, das war's, weiß ich nicht, gerne, natürlich`,
    ),
  },
  fr: {
    fillers: words('euh heu ben bah hum hm'),
    joiners: words(
      `et ou mais parce car donc que qui quand si comme lorsque puisque le la les l' un une des du de d' mon ma mes ton ta
       votre vos notre nos au aux à pour avec sans chez dans sur sous entre par est sont je j' très pas point tiret`,
    ),
    numbers: words(
      `zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante
       cinquante soixante cent`,
    ),
    complete: phrases(
      `oui, non, si, d'accord, ok, exactement, merci, merci beaucoup, oui merci, non merci, s'il vous plaît, bonjour,
       au revoir, stop, c'est tout, je ne sais pas, bien sûr, très bien`,
    ),
  },
  es: {
    fillers: words('eh em mmm hm pues'),
    joiners: words(
      `y e o u pero porque que quien cuando si como aunque mientras el la los las un una unos unas mi mis tu su sus nuestro
       de del al a para por con sin en sobre entre desde hasta es son soy estoy muy no punto guion arroba`,
    ),
    numbers: words(
      `cero uno un dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta cincuenta sesenta
       setenta ochenta noventa cien ciento`,
    ),
    complete: phrases(
      `sí, si, no, vale, claro, exacto, correcto, gracias, muchas gracias, por favor, sí por favor, no gracias, hola,
       adiós, para, eso es todo, nada más, no sé, de acuerdo`,
    ),
  },
  it: {
    fillers: words('ehm eh uhm mmm hm beh cioè'),
    joiners: words(
      `e ed o ma perché che chi quando se come mentre anche il lo la i gli le un uno una del della dei mio mia tuo sua nostro
       di a da in con su per tra fra al alla nel nella è sono molto non punto trattino chiocciola`,
    ),
    numbers: words(
      `zero uno un due tre quattro cinque sei sette otto nove dieci undici dodici venti trenta quaranta cinquanta sessanta
       settanta ottanta novanta cento`,
    ),
    complete: phrases(
      `sì, si, no, va bene, ok, esatto, giusto, certo, grazie, grazie mille, per favore, sì grazie, no grazie, ciao,
       pronto, arrivederci, basta, è tutto, non lo so, d'accordo`,
    ),
  },
};
