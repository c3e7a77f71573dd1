// Which browser a session is of, in words.

const BROWSERS: [RegExp, string][] = [
  [/Edg(?:A|iOS)?\/(\d+)/, "Edge"],
  [/OPR\/(\d+)/, "Opera"],
  [/Firefox\/(\d+)/, "Firefox"],
  [/FxiOS\/(\d+)/, "Firefox"],
  [/(?:Headless)?Chrome\/(\d+)/, "Chrome"],
  [/CriOS\/(\d+)/, "Chrome"],
  [/Version\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari/, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** Such as "Firefox 140 on Linux"; what is not known, as it is. */
export function agentWords(agent: string | null | undefined): string {
  if (!agent) return "An unknown browser";
  const browser = BROWSERS.map(([sign, name]) => [sign.exec(agent)?.[1], name]).find(([version]) => version);
  if (!browser) return agent;
  const system = SYSTEMS.find(([sign]) => sign.test(agent))?.[1];
  return `${browser[1]} ${browser[0]}${system ? ` on ${system}` : ""}`;
}
