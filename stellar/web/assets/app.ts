/** Loaded on every page. */
import "htmx.org";

import { startActions } from "./lib/actions";
import { startScheme } from "./lib/scheme";
import { startTicking } from "./lib/tick";
import { startTimes } from "./lib/times";

startScheme();
startActions();
startTimes();
startTicking();
