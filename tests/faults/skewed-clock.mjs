// Loaded into a bot or worker before all else (node --import): its clock, as JavaScript reads it, is so many seconds off.
const offset = Number(process.env.FAULTS_CLOCK_SECONDS ?? 0) * 1000;
const RealDate = Date;
const realNow = Date.now;
if (offset !== 0) {
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(realNow() + offset);
      else super(...given);
    }

    static now() {
      return realNow() + offset;
    }
  };
}
