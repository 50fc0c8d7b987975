/** Levels of a handset's mouth and ear, some sixteen times a second: beside the store, which nothing so quick needs. */
const FLOOR_DBOV = -60;
const CEILING_DBOV = -10;

export class Meters {
  /** From 0 to 1. */
  onChange: (mouth: number, ear: number) => void = () => undefined;

  set(mouthDbov: number, earDbov: number): void {
    this.onChange(share(mouthDbov), share(earDbov));
  }
}

function share(dbov: number): number {
  return Math.max(0, Math.min(1, (dbov - FLOOR_DBOV) / (CEILING_DBOV - FLOOR_DBOV)));
}
