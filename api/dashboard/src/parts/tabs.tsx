// The way between the main pages, the pages of an app, or those of the admins. On a narrow screen the one that is shown is
// scrolled to.
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
    const [box, tab] = [nav.current, nav.current?.querySelector<HTMLElement>('[aria-current="page"]')];
    if (box && tab) box.scrollLeft = tab.offsetLeft - box.offsetLeft - (box.clientWidth - tab.offsetWidth) / 2;
  }, [pathname]);
  return (
    <nav className={className} ref={nav} aria-label={label}>
      {children}
    </nav>
  );
}
