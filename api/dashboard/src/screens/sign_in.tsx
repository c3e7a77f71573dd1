// Where everybody comes in.
import { Stack, Text, Title } from "@mantine/core";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { cache } from "../api/cache";
import { useTitle } from "../parts/page";
import { SignInForm } from "./sign_in_form";
import { wayOn } from "./way_on";

const route = getRouteApi("/sign-in");

export function SignIn() {
  useTitle("Sign in");
  const { to } = route.useSearch();
  const router = useRouter();
  const onDone = () => {
    cache.clear();
    router.history.push(wayOn(to));
  };
  return (
    <main className="centre">
      <div className="sheet">
        <Stack gap="lg">
          <Stack gap={4}>
            <img src="/favicon.svg" alt="" width={40} height={40} />
            <Title order={1} size="h2">
              Sign in to Skypanel
            </Title>
            <Text c="dimmed" size="sm">
              New here? Open the link of your invitation, or ask an owner of your organisation for one.
            </Text>
          </Stack>
          <SignInForm onDone={onDone} />
        </Stack>
      </div>
    </main>
  );
}
