import { useEffect, useRef } from "preact/hooks";
import type { HandsetProps } from "./handset-view.tsx";

/** Moved without a new drawing of the handset, some sixteen times a second. */
export function LevelMeters({ handset, state }: HandsetProps) {
  const mouth = useRef<HTMLMeterElement>(null);
  const ear = useRef<HTMLMeterElement>(null);
  useEffect(() => {
    handset.meters.onChange = (mouthLevel, earLevel) => {
      if (mouth.current) mouth.current.value = mouthLevel;
      if (ear.current) ear.current.value = earLevel;
    };
  }, [handset]);
  const { role } = state;
  return (
    <div class="meters">
      <label for={`${role}-mouth`}>You say</label>
      <meter id={`${role}-mouth`} ref={mouth} min={0} max={1} />
      <label for={`${role}-ear`}>You hear</label>
      <meter id={`${role}-ear`} ref={ear} min={0} max={1} />
    </div>
  );
}
