import { count } from '../../playbooks/reading/text.ts';
import type { Language } from '../../playbooks/words/index.ts';
import { textInLanguage } from '../slack/in-language.ts';

/** The fixed words around an answer. */
export interface QuestionWords {
  readonly looking: string;
  readonly noWorker: string;
  readonly closer: (steps: readonly string[]) => string;
  readonly cannotTell: string;
  readonly couldRun: (verb: string, summary: string) => string;
  readonly run: (verb: string) => string;
  readonly restsOn: string;
  readonly nothing: (note: string) => string;
  readonly noModel: string;
  readonly footer: (model: string, tokens: number, price: string, dropped: number, steps: readonly string[]) => string;
}

const english: QuestionWords = {
  looking: 'Looking through what was seen…',
  noWorker: 'No worker is running now; the answer comes when one does.',
  closer: (steps) => `The model asked for a further look, which harms nothing: ${steps.join(', ')}…`,
  cannotTell: 'I cannot tell from what was seen.',
  couldRun: (verb, summary) => `I could run \`${verb}\`: ${summary}.`,
  run: (verb) => `Run ${verb}`,
  restsOn: 'It rests on these lines:',
  nothing: (note) =>
    `I have no answer to that, because ${note}. What the rules say is in \`why\` and \`fix\`, what was seen in \`thread TID\` and \`raw PROBE\`.`,
  noModel:
    'I cannot answer questions in your own words, because no model is configured (`model` in the configuration); ask with a verb instead: `why`, `fix`, `thread TID`, `raw PROBE`, `stacks`, `lsof`, or `help` for all.',
  footer: (model, tokens, price, dropped, steps) => {
    const looks = steps.length === 0 ? '' : ` after ${steps.join(', ')}`;
    const left = dropped === 0 ? '' : `; ${count(dropped, 'sentence')} left out that the evidence does not cover`;
    return `By ${model}${tokens === 0 ? '' : ` (${count(tokens, 'token')}${price})`} from this thread’s evidence${looks}${left}. Say \`model\` for what it saw and said.`;
  },
};

const chinese: QuestionWords = {
  looking: '正在查阅已看到的内容…',
  noWorker: '现在没有运行中的 worker；有了之后就会回答。',
  closer: (steps) => `模型要求再看一次（不影响进程）：${steps.join('、')}…`,
  cannotTell: '从已看到的内容无法判断。',
  couldRun: (verb, summary) => `我可以运行 \`${verb}\`（${textInLanguage(summary, 'zh')}）。`,
  run: (verb) => `运行 ${verb}`,
  restsOn: '依据以下各行：',
  nothing: (note) =>
    `没有答案：${textInLanguage(note, 'zh')}。规则的结论见 \`why\` 和 \`fix\`，看到的内容见 \`thread TID\` 和 \`raw PROBE\`。`,
  noModel:
    '没有配置模型（配置中的 `model`），无法回答自由提问；请用命令：`why`、`fix`、`thread TID`、`raw PROBE`、`stacks`、`lsof`，`help` 列出全部。',
  footer: (model, tokens, price, dropped, steps) => {
    const looks = steps.length === 0 ? '' : `，另看了 ${steps.join('、')}`;
    const left = dropped === 0 ? '' : `；略去 ${dropped} 句证据未涵盖的话`;
    return `${model}${tokens === 0 ? '' : `（${tokens} 个 token${price}）`} 依据本消息列的证据${looks}${left}。输入 \`model\` 查看它看到和说过的内容。`;
  },
};

export const questionWords = (language: Language): QuestionWords => (language === 'zh' ? chinese : english);
