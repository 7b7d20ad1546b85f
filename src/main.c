#include <stdio.h>

int
main(void)
{
	printf("pollwerkd %s\n", PW_VERSION);
	return 0;
}
