import { type RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/**
 * Keeps the keyboard in an element: a button that does what it says is often gone afterwards, and with it the focus, so
 * that keys came to nobody and whoever cannot see the page was back at its beginning. Then the element has it.
 */
export function useKeptFocus(): RefObject<HTMLElement | null> {
  const element = useRef<HTMLElement>(null);
  // As it is before this drawing changes the page.
  const wasInside = element.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (!wasInside || element.current?.contains(document.activeElement)) return;
    // The page stays where it is: the button was in sight.
    element.current?.focus({ preventScroll: true });
  });
  return element;
}
