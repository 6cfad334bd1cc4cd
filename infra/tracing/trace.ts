/** What is noted of a span: words and numbers of our own. Never text from a host, an alert or a person, never an argv. */
export type Attributes = Readonly<Record<`straceback.${string}`, string | number | boolean>>;

/** Where a piece of work shows in a trace. */
export interface Trace {
  /** Runs `work` inside a span; what `work` notes is added to it. An error is noted by its class alone, and thrown on. */
  readonly span: <T>(
    name: string,
    attributes: Attributes,
    work: (note: (more: Attributes) => void) => Promise<T>,
  ) => Promise<T>;
}

/** Shows nothing anywhere. */
export const noTrace: Trace = { span: (_name, _attributes, work) => work(() => undefined) };
