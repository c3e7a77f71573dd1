// Tells a box that scrolls sideways, behind which of its ends there is more: there it fades out.
import { type RefObject, useEffect } from "react";

export function useEnds(ref: RefObject<HTMLElement | null>) {
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const tell = () => {
      box.toggleAttribute("data-before", box.scrollLeft > 1);
      box.toggleAttribute("data-after", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    };
    const resized = new ResizeObserver(tell);
    for (const one of [box, ...box.children]) resized.observe(one);
    box.addEventListener("scroll", tell, { passive: true });
    return () => {
      resized.disconnect();
      box.removeEventListener("scroll", tell);
    };
  }, [ref]);
}
