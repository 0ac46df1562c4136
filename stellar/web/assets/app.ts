/** Loaded on every page. */
import "htmx.org";

import { startActions } from "./lib/actions";
import { startEvents } from "./lib/events";
import { startScheme } from "./lib/scheme";
import { startTabs } from "./lib/tabs";
import { startTicking } from "./lib/tick";
import { startTimes } from "./lib/times";

startScheme();
startActions();
startTimes();
startTabs();
startTicking();
startEvents();
