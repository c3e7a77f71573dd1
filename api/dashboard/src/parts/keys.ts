// Keys that do something by themselves, without Ctrl. Whoever speaks to their computer, or hits keys by mistake, switches
// them off (WCAG 2.1.4); the browser remembers it.
import { type HotkeyItem, useHotkeys, useLocalStorage } from "@mantine/hooks";

/** Whether they are on, and how to change it. */
export function useSingleKeys() {
  return useLocalStorage({ key: "skypanel-single-keys", defaultValue: true, getInitialValueInEffect: false });
}

export function useSingleHotkeys(keys: HotkeyItem[]) {
  const [on] = useSingleKeys();
  useHotkeys(on ? keys : []);
}
