// The head of a screen: its title, which is the document's as well, and its main actions.
import { Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Skypanel`;
  }, [title]);
}

interface HeadProps {
  title: string;
  /** Which page of several that have this title. */
  page?: string;
  children?: ReactNode;
}

export function Head({ title, page, children }: HeadProps) {
  useTitle(page ? `${page} · ${title}` : title);
  return (
    <div className="title-row">
      <Title order={1} size="h2">
        {title}
      </Title>
      {children}
    </div>
  );
}
