#include "modbus/identity.h"

#include "base/str.h"

bool
identity_fits_text(const struct identity_check *check, const char *text)
{
	for (size_t i = 0; i < check->count; i++)
		if (str_glob(check->texts[i], text))
			return true;
	return false;
}

bool
identity_fits(const struct identity_check *check, const uint8_t *bytes)
{
	struct regs_spec spec = check->spec;
	struct regs_value value;

	if (spec.type == REGS_STRING) {
		regs_read(&spec, bytes, &value);
		return identity_fits_text(check, value.text);
	}
	/* What is wanted is written like `invalid`, and found the same way. */
	spec.invalid = check->ranges;
	spec.invalid_count = check->count;
	regs_read(&spec, bytes, &value);
	if (value.kind != REGS_INVALID)
		return false;
	spec.invalid_count = 0;
	regs_read(&spec, bytes, &value);
	return value.kind != REGS_INVALID;
}
