// The head of a screen: its title, which is the document's as well, and its main actions.
import { Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Skypanel`;
  }, [title]);
}

export function Head({ title, children }: { title: string; children?: ReactNode }) {
  useTitle(title);
  return (
    <div className="title-row">
      <Title order={1} size="h2">
        {title}
      </Title>
      {children}
    </div>
  );
}
