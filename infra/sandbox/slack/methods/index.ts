import { chatMethods } from './chat.ts';
import { conversationMethods } from './conversations.ts';
import { fileMethods } from './files.ts';
import type { Method } from './method.ts';
import { peopleMethods } from './people.ts';
import { validateMethods } from './validate.ts';
import { viewMethods } from './views.ts';

/** Every method of the Web API that this Slack has. */
export const METHODS: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    ...chatMethods,
    ...conversationMethods,
    ...fileMethods,
    ...peopleMethods,
    ...validateMethods,
    ...viewMethods,
  }),
);
