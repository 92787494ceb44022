/* faults.h - the faults by name, and how often each happened. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdint.h>

enum sim_fault {
#define FAULT(name, words) SIM_##name,
#include "faults.def"
#undef FAULT
    SIM_FAULTS
};
#define SIM_CALL_FAULTS (SIM_NONSENSE + 1) /* those that befall one call */
#define SIM_FAULT_NONE  SIM_FAULTS

extern const char *const sim_fault_words[SIM_FAULTS];

#endif
