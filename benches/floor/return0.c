/* The least a program can be: what the kernel takes to start and end a process. */
int main(void) { return 0; }
