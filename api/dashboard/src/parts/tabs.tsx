// The way between the main pages, the pages of an app, or those of the admins. On a narrow screen the one that is shown is
// scrolled to, and an end behind which there are more fades out.
import { useLocation } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";
import { useEnds } from "./ends";

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
    const resized = new ResizeObserver(() => showCurrent(box));
    resized.observe(box);
    return () => resized.disconnect();
  }, []);
  useEnds(nav);
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
