/* test_secret.c: where a password is looked for, and what is said when it cannot be had.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/secret.h"

static char folder[] = "/tmp/test-secret-XXXXXX";
static char path[64], credentials[64], credential[80], err[300], found[SECRET_SIZE];

static void put(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_file(const char *text, size_t len)
{
	put(path, text, len);
}

static int read_file(void)
{
	memset(err, 0, sizeof err);
	return secret_read(NULL, path, found, err, sizeof err);
}

static void the_first_line_of_the_file_counts(void **state)
{
	static const char *const files[] = { "secret", "secret\n", "secret\r\n", "secret\nmore\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		put_file(files[i], strlen(files[i]));
		assert_int_equal(read_file(), 1);
		assert_string_equal(found, "secret");
	}
	put_file(" pass word \n", 12);
	assert_int_equal(read_file(), 1);
	assert_string_equal(found, " pass word ");
}

static void a_file_comes_before_the_text(void **state)
{
	(void)state;
	put_file("secret\n", 7);
	assert_int_equal(secret_read("text", path, found, err, sizeof err), 1);
	assert_string_equal(found, "secret");
	assert_int_equal(secret_read("text", NULL, found, err, sizeof err), 1);
	assert_string_equal(found, "text");
	assert_int_equal(secret_read(NULL, NULL, found, err, sizeof err), 0);
	assert_string_equal(found, "");
}

static void a_credential_of_the_service_comes_before_the_path(void **state)
{
	(void)state;
	put_file("file\n", 5);
	put(credential, "credential\n", 11);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", credentials, 1), 0);
	assert_int_equal(read_file(), 1);
	assert_string_equal(found, "credential");
	assert_int_equal(secret_read(NULL, "/etc/presenced/password", found, err, sizeof err), 1);
	assert_string_equal(found, "credential");
	assert_int_equal(secret_read(NULL, "password", found, err, sizeof err), 1);
	assert_string_equal(found, "credential");
	assert_int_equal(unlink(credential), 0);
	assert_int_equal(read_file(), 1);
	assert_string_equal(found, "file");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void check_refused(int r, int expected, const char *says)
{
	assert_int_equal(r, expected);
	assert_string_equal(found, "");
	if (strstr(err, says) == NULL)
		fail_msg("\"%s\"", err);
}

static void what_cannot_be_had_is_said(void **state)
{
	char text[SECRET_SIZE + 1];

	(void)state;
	put_file("", 0);
	check_refused(read_file(), -EINVAL, "is empty");
	put_file("\nsecret\n", 8);
	check_refused(read_file(), -EINVAL, "is empty");
	assert_int_equal(unlink(path), 0);
	check_refused(read_file(), -ENOENT, "cannot be read");
	check_refused(secret_read(NULL, folder, found, err, sizeof err), -EINVAL, "is not a regular file");
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody is waited for */
	check_refused(read_file(), -EINVAL, "is not a regular file");
	assert_int_equal(unlink(path), 0);
	memset(text, 'x', sizeof text);
	for (size_t len = SECRET_SIZE; len >= SECRET_SIZE - 1; len--) {
		text[len] = '\0';
		put_file(text, len);
		check_refused(read_file(), -EFBIG, "more than 510 bytes");
		check_refused(secret_read(text, NULL, found, err, sizeof err), -EFBIG, "more than 510 bytes");
	}
}

static void the_longest_is_taken_whole(void **state)
{
	char text[SECRET_SIZE - 1];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(secret_read(text, NULL, found, err, sizeof err), 1);
	assert_string_equal(found, text);
	put_file(text, sizeof text - 1);
	assert_int_equal(read_file(), 1);
	assert_string_equal(found, text);
	text[sizeof text - 1] = '\n'; /* with the end of its line, where the rest is not read any more */
	put_file(text, sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(read_file(), 1);
	assert_string_equal(found, text);
}

static int begin(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/password", folder);
	snprintf(credentials, sizeof credentials, "%s/credentials", folder);
	snprintf(credential, sizeof credential, "%s/password", credentials);
	if (mkdir(credentials, 0700) < 0)
		return -1;
	return unsetenv("CREDENTIALS_DIRECTORY");
}

static int end(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(credential);
	(void)rmdir(credentials);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_of_the_file_counts),
		cmocka_unit_test(a_file_comes_before_the_text),
		cmocka_unit_test(a_credential_of_the_service_comes_before_the_path),
		cmocka_unit_test(what_cannot_be_had_is_said),
		cmocka_unit_test(the_longest_is_taken_whole),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
