// For addresses that mean nothing, within what surrounds every screen.
import { Stack, Text, Title } from "@mantine/core";
import { ButtonTo } from "../parts/link";
import { useTitle } from "../parts/page";

export function NotFound() {
  useTitle("Nothing here");
  return (
    <Stack align="start">
      <Title order={1} size="h2">
        There is nothing here
      </Title>
      <Text c="dimmed">
        Is the address spelt right? Or was the thing removed, or moved to an organisation that you are not in?
      </Text>
      <ButtonTo to="/apps">Your apps</ButtonTo>
    </Stack>
  );
}
