/* Nothing: the machine has no timer and no interrupts (the framework generates this file, too). */
