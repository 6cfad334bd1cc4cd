/** What a question is looked for by, and what evidence is found by: words in one form. */

/** Words of grammar in questions and evidence, which find nothing. */
const STOP = new Set(
  `a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my no not of on or our should so tell than that the their then there these they this to us was we were what when where which who whose why will with would you your please show give happen happens happening`.split(
    ' ',
  ),
);

/** What evidence calls the things that people ask for. */
const ALSO: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    stuck: ['wait', 'block', 'futex', 'acquire'],
    hang: ['wait', 'block', 'futex'],
    hung: ['wait', 'block', 'futex'],
    block: ['wait', 'futex'],
    slow: ['wait', 'cpu'],
    busy: ['cpu', 'running'],
    lock: ['futex', 'mutex', 'acquire', 'held', 'holder', 'flock'],
    hold: ['held', 'holder', 'owner'],
    owner: ['held', 'holder'],
    memory: ['rss', 'resident', 'heap', 'malloc', 'mib'],
    leak: ['grow', 'heap'],
    file: ['fd', 'open', 'reg'],
    descriptor: ['fd'],
    connection: ['socket', 'tcp', 'peer'],
    network: ['socket', 'tcp', 'peer'],
    port: ['listen', 'tcp'],
    database: ['postgres', 'mysql', 'sqlite', 'redis'],
    restart: ['uptime', 'start'],
    child: ['ppid', 'zombie', 'fork'],
    signal: ['sigterm', 'handler', 'si_signo'],
    disk: ['mount', 'space', 'io'],
  }),
);

/** Chinese words of such questions, in the words of the evidence. */
const CHINESE: readonly (readonly [string, readonly string[]])[] = [
  ['线程', ['thread']],
  ['进程', ['process']],
  ['锁', ['lock']],
  ['死锁', ['deadlock', 'lock']],
  ['卡', ['stuck']],
  ['挂', ['hang']],
  ['等', ['wait']],
  ['慢', ['slow']],
  ['内存', ['memory']],
  ['泄漏', ['leak']],
  ['文件', ['file']],
  ['描述符', ['descriptor']],
  ['连接', ['connection']],
  ['网络', ['network']],
  ['端口', ['port']],
  ['数据库', ['database']],
  ['重启', ['restart']],
  ['信号', ['signal']],
  ['磁盘', ['disk']],
  ['日志', ['log']],
  ['子进程', ['child']],
  ['持有', ['hold']],
  ['栈', ['stack']],
  ['处理器', ['cpu']],
  ['错误', ['error']],
];

/** Endings off, roughly: `waits`, `waiting` and `waited` are `wait`. */
const stem = (word: string): string =>
  /^[a-z]{5,}$/.test(word) ? word.replace(/(?:ings?|ed|es|s)$/, '').replace(/([^aeiouls])\1$/, '$1') : word;

const MOST_WORD = 40;

/** The words of a text, as they are indexed: whole names and their parts, lower-case, without endings. */
export const termsOf = (text: string): string[] => {
  const terms: string[] = [];
  for (const [word] of text.matchAll(/[\p{L}\p{N}_]+/gu)) {
    if (word.length > MOST_WORD * 4) continue;
    const whole = word.toLowerCase();
    const parts = word.split(/_+|(?<=[a-z0-9])(?=[A-Z])/).map((part) => part.toLowerCase());
    for (const each of parts.length > 1 ? [whole, ...parts] : [whole]) {
      if (each === '' || each.length > MOST_WORD || STOP.has(each)) continue;
      terms.push(stem(each));
    }
  }
  return terms;
};

/** What a question is looked for by: its own words, and what evidence calls the same. */
export const queryOf = (question: string): string[] => {
  const chinese = CHINESE.flatMap(([word, english]) => (question.includes(word) ? english : []));
  const own = [...termsOf(question), ...chinese.map(stem)];
  return [...new Set([...own, ...own.flatMap((term) => (ALSO.get(term) ?? []).map(stem))])];
};
