// The way between the main pages, the pages of an app, or those of the admins. On a narrow screen the one that is shown is
// scrolled to, and an end behind which there are more fades out.
import { useLocation } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";

interface TabsProps {
  label: string;
  className?: string;
  children: ReactNode;
}

export function Tabs({ label, className = "tabs", children }: TabsProps) {
  const nav = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is another tab
  useEffect(() => {
    if (nav.current) showCurrent(nav.current);
  }, [pathname]);
  useEffect(() => {
    const box = nav.current;
    if (!box) return;
    const told = () => {
      box.toggleAttribute("data-before", box.scrollLeft > 1);
      box.toggleAttribute("data-after", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    };
    const resized = new ResizeObserver(() => {
      showCurrent(box);
      told();
    });
    resized.observe(box);
    box.addEventListener("scroll", told, { passive: true });
    return () => {
      resized.disconnect();
      box.removeEventListener("scroll", told);
    };
  }, []);
  return (
    <nav className={className} ref={nav} aria-label={label}>
      {children}
    </nav>
  );
}

function showCurrent(box: HTMLElement) {
  const tab = box.querySelector<HTMLElement>('[aria-current="page"]');
  if (tab) box.scrollLeft = tab.offsetLeft - box.offsetLeft - (box.clientWidth - tab.offsetWidth) / 2;
}
