// SPDX-License-Identifier: Apache-2.0

// The helper asks libseccomp what the compiler of filters (package compiler) wants to
// know. It reads one question from standard input and writes the answer to standard
// output, both files in memory; package library describes their form. It is a program of
// its own because libseccomp is C, and the runtime, which seldom needs a new filter, has
// none.
//
// It makes one filter for each architecture. libseccomp could put all architectures into
// one, but takes more than twice as long for that, because its time grows with the square
// of the size.
//
// With the argument "version" it prints the version of libseccomp.
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The constants of package library.
enum { MAGIC = 0x736b0001, TREE_FROM = 32, TABLE_SIZE = 1024 };
enum step { DONE, SET_API, MAKE_FILTER, ADD_ARCH, ADD_RULE, OPTIMISE, EXPORT };

// The API level that libseccomp is told the kernel has: every action (level 6, libseccomp
// 2.5). Otherwise libseccomp would probe the kernel. The program would then depend on the
// kernel, or on an outer filter that hides seccomp(2) from the probe, and could not be
// cached.
enum { API_LEVEL = 6 };

static const char *at, *end; // what is left of the question
static const char **names;
static uint32_t name_count, arch_count, rule_count, fallback;
static int32_t *answer; // the fixed part: 4 words, the numbers, and for each architecture 2 words and the numbers
static size_t answer_size;

// malformed ends the program: the question is not one of package library.
static void malformed(void)
{
	fputs("the question is malformed\n", stderr);
	exit(2);
}

static const char *take(size_t size)
{
	const char *p = at;
	if (size > (size_t)(end - at))
		malformed();
	at += size;
	return p;
}

static uint32_t number(void)
{
	uint32_t n;
	memcpy(&n, take(sizeof n), sizeof n);
	return n;
}

static uint64_t large(void)
{
	uint64_t n;
	memcpy(&n, take(sizeof n), sizeof n);
	return n;
}

static const char *string(void)
{
	size_t size = strnlen(at, end - at);
	return take(size + 1); // with its zero byte
}

// count reads the number of things that follow, each of which has at least a byte.
static uint32_t count(void)
{
	uint32_t n = number();
	if (n > (size_t)(end - at))
		malformed();
	return n;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	if (!p) {
		perror("allocate memory");
		exit(2);
	}
	return p;
}

static void put(const void *p, size_t size)
{
	if (pwrite(STDOUT_FILENO, p, size, 0) != (ssize_t)size) {
		perror("write the answer");
		exit(2);
	}
}

// check ends the program with the answer that a step failed if r, which libseccomp
// returned, is negative.
static void check(int r, enum step step, uint32_t index)
{
	int32_t head[] = { MAGIC, step, index, -r };
	if (r >= 0)
		return;
	put(head, sizeof head);
	_exit(0);
}

static void read_question(void)
{
	struct stat st;
	if (fstat(STDIN_FILENO, &st) || st.st_size == 0)
		malformed();
	at = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (at == MAP_FAILED) {
		perror("read the question");
		exit(2);
	}
	end = at + st.st_size;
	if (number() != MAGIC)
		malformed();
	fallback = number();
	name_count = count();
	names = zeroed(name_count, sizeof *names);
	for (uint32_t i = 0; i < name_count; i++)
		names[i] = string();
}

// is_multiplexed reports whether n is the pseudo number of a call that is made through
// socketcall(2) or ipc(2). Other negative numbers are of calls that the architecture does
// not have.
static int is_multiplexed(int n)
{
	return -300 < n && n <= -100;
}

// direct returns the highest number of an architecture whose name is in the question, or
// -1 if there is none.
static int32_t direct(uint32_t arch, uint32_t first)
{
	for (uint32_t n = first + TABLE_SIZE; n-- > first;) {
		char *name = seccomp_syscall_resolve_num_arch(arch, n);
		int found = 0;
		for (uint32_t i = 0; name && i < name_count && !found; i++)
			found = !strcmp(name, names[i]);
		free(name);
		if (found)
			return n;
	}
	return -1;
}

// resolve writes the numbers of all names, and returns what goes before them.
static int32_t resolve(uint32_t arch, uint32_t first, int32_t *numbers)
{
	int multiplexed = 0;
	for (uint32_t i = 0; i < name_count; i++) {
		numbers[i] = seccomp_syscall_resolve_name_arch(arch, names[i]);
		multiplexed |= is_multiplexed(numbers[i]);
	}
	return multiplexed ? direct(arch, first) : -1;
}

// add_rules adds the rules to a filter, and returns how many of them are about a call
// that the architecture has. libseccomp takes the number that a call has on the machine's
// own architecture.
static int add_rules(scmp_filter_ctx filter, const int32_t *native, const int32_t *numbers)
{
	int has = 0;
	for (uint32_t i = 0; i < rule_count; i++) {
		struct scmp_arg_cmp args[6];
		uint32_t name = number(), action = number(), plain = number(), arg_count = number();
		if (name >= name_count || arg_count > 6)
			malformed();
		for (uint32_t j = 0; j < arg_count; j++) {
			args[j].arg = number();
			args[j].op = number();
			args[j].datum_a = large();
			args[j].datum_b = large();
		}
		if (native[name] == __NR_SCMP_ERROR || (plain && numbers[name] >= 0))
			continue;
		check(seccomp_rule_add_array(filter, action, native[name], arg_count, args), ADD_RULE, i);
		has += numbers[name] >= 0 || is_multiplexed(numbers[name]);
	}
	return has;
}

// make_program appends an architecture's program to the answer, and returns its size.
static int32_t make_program(uint32_t arch, uint32_t index, const int32_t *native, const int32_t *numbers)
{
	off_t before = lseek(STDOUT_FILENO, 0, SEEK_CUR);
	scmp_filter_ctx filter = seccomp_init(fallback);
	check(filter ? 0 : -EINVAL, MAKE_FILTER, 0);
	if (arch != seccomp_arch_native()) {
		check(arch ? seccomp_arch_add(filter, arch) : -ENOSYS, ADD_ARCH, index);
		check(seccomp_arch_remove(filter, seccomp_arch_native()), ADD_ARCH, index);
	}
	if (add_rules(filter, native, numbers) >= TREE_FROM)
		check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), OPTIMISE, 0);
	check(seccomp_export_bpf(filter, STDOUT_FILENO), EXPORT, 0);
	return lseek(STDOUT_FILENO, 0, SEEK_CUR) - before; // the filter is left to exit(2)
}

static void make_answer(void)
{
	int32_t *native, *word;
	arch_count = count();
	const char *archs = at;
	for (uint32_t i = 0; i < arch_count; i++) {
		number();
		string();
	}
	rule_count = count();
	const char *rules = at;

	answer_size = (4 + name_count + (size_t)arch_count * (2 + name_count)) * sizeof *answer;
	answer = zeroed(1, answer_size);
	answer[0] = MAGIC;
	native = answer + 4;
	for (uint32_t i = 0; i < name_count; i++)
		native[i] = seccomp_syscall_resolve_name(names[i]);
	if (lseek(STDOUT_FILENO, answer_size, SEEK_SET) < 0) {
		perror("write the answer");
		exit(2);
	}
	word = native + name_count;
	for (uint32_t i = 0; i < arch_count; i++, word += 2 + name_count) {
		at = archs;
		uint32_t first = number();
		uint32_t arch = seccomp_arch_resolve_name(string());
		archs = at;
		if (i == 0 && arch != seccomp_arch_native())
			check(-EDOM, ADD_ARCH, i);
		word[0] = resolve(arch, first, word + 2);
		at = rules;
		word[1] = make_program(arch, i, native, word + 2);
	}
	if (at != end)
		malformed();
	put(answer, answer_size);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "version")) {
		const struct scmp_version *v = seccomp_version();
		return printf("%u.%u.%u\n", v->major, v->minor, v->micro) < 0;
	}
	read_question();
	check(seccomp_api_set(API_LEVEL), SET_API, 0);
	make_answer();
	_exit(0);
}
