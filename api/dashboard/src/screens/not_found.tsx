// For addresses that mean nothing.
import { Stack, Text, Title } from "@mantine/core";
import { ButtonTo } from "../parts/link";

export function NotFound() {
  return (
    <main className="main">
      <Stack align="start">
        <Title order={1} size="h2">
          There is nothing here
        </Title>
        <Text c="dimmed">The dashboard has no page at this address. Is it spelt right, or was the thing removed?</Text>
        <ButtonTo to="/apps">Your apps</ButtonTo>
      </Stack>
    </main>
  );
}
