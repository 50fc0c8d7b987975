import { useState } from "preact/hooks";
import type { Handset } from "../handset.ts";
import type { HandsetProps } from "./handset-view.tsx";

const E164 = "\\+[1-9][0-9]{1,14}";

/** Whose handset this is. */
export function Owner({ handset, state, chosen }: HandsetProps & { readonly chosen: string | null }) {
  if (state.role === "caller") return <CallerNumber handset={handset} state={state} />;
  if (!state.person) return <PersonChoice handset={handset} chosen={chosen} />;
  const { rung, name, number } = state.person;
  return (
    <p class="owner">
      <span>
        <b>{name}</b>, {rung}
        <br />
        <span class="number">{number}</span>
      </span>
      <button type="button" onClick={() => handset.leave()}>
        Be somebody else
      </button>
    </p>
  );
}

function CallerNumber({ handset, state }: HandsetProps) {
  const change = (event: Event): void => {
    const input = event.currentTarget as HTMLInputElement;
    if (input.reportValidity() && input.value !== state.number) handset.be(input.value, null);
  };
  return (
    <p class="owner">
      <label for="caller-number">Your number</label>
      <input
        id="caller-number"
        class="number"
        type="tel"
        required
        pattern={E164}
        title="+ and the country code, digits only, like +15550142"
        value={state.number}
        disabled={state.phase !== "idle"}
        onChange={change}
      />
    </p>
  );
}

function PersonChoice({ handset, chosen }: { readonly handset: Handset; readonly chosen: string | null }) {
  const { people } = handset.facts;
  const wanted = people.find(({ number }) => number === chosen) ?? people[0];
  const [number, setNumber] = useState(wanted?.number ?? "");
  if (people.length === 0) return <p>Nobody is on call: no contact of the deployment has a phone.</p>;
  const be = (event: Event): void => {
    event.preventDefault();
    const person = people.find((each) => each.number === number);
    if (person) handset.be(person.number, person);
  };
  return (
    <form class="owner" onSubmit={be}>
      <label for="person">Who are you?</label>
      <select
        id="person"
        value={number}
        onChange={(event) => setNumber((event.currentTarget as HTMLSelectElement).value)}
      >
        {people.map((person) => (
          <option key={`${person.rung} ${person.number}`} value={person.number}>
            {`${person.rung}: ${person.name}, ${person.number}`}
          </option>
        ))}
      </select>
      <button class="primary">Be on call</button>
    </form>
  );
}
