/* Everything stands in modsecurity.h; this is here for hosts that include it by its name. */
#include "modsecurity.h"
