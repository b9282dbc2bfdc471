/* test_xml.c: documents become trees, or are refused with a sentence and the position.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/xml.h"
#include "daemon/base/buf.h"
#include "daemon/base/utf8.h"

static struct xml_reader *x;

static int begin(void **state)
{
	(void)state;
	x = xml_reader_new();
	return x == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	xml_reader_free(x);
	return 0;
}

static const struct xml_node *read_bytes(const char *data, size_t len)
{
	struct parse_error error = { "" };
	const struct xml_node *root;

	if (xml_read(x, data, len, &root, &error) != 0)
		fail_msg("refused: %s", error.text);
	return root;
}

static const struct xml_node *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void check_refused(const char *data, size_t len, const char *sentence)
{
	struct parse_error error = { "" };
	const struct xml_node *root = (const struct xml_node *)(const void *)data;

	assert_int_equal(xml_read(x, data, len, &root, &error), -EINVAL);
	assert_null(root);
	if (strstr(error.text, sentence) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, sentence);
}

static void nothing_is_no_tree(void **state)
{
	(void)state;
	assert_null(read_bytes("", 0));
	assert_null(read_bytes(NULL, 0));
	assert_null(read_text(" \t\r\n "));
}

static void names_are_matched_by_namespace(void **state)
{
	const struct xml_node *root =
	    read_text("<a xmlns='urn:a' xmlns:p='urn:b'><p:b/><c xmlns=''/><b/><p:b x='2'/></a>");
	const struct xml_node *b = xml_child(root, "urn:b", "b");

	(void)state;
	assert_true(xml_is(root, "urn:a", "a"));
	assert_false(xml_is(root, "", "a"));
	assert_false(xml_is(root, "urn:a", "b"));
	assert_ptr_equal(b, root->first);
	assert_true(xml_is(b, "urn:b", "b"));
	assert_string_equal(xml_attribute(xml_sibling(b, "urn:b", "b"), "x"), "2");
	assert_ptr_equal(xml_sibling(b, "urn:b", "b"), root->last);
	assert_non_null(xml_child(root, "", "c"));
	assert_non_null(xml_child(root, "urn:a", "b"));
	assert_null(xml_child(root, "urn:a", "c"));
	assert_null(xml_sibling(root, "urn:a", "a"));
	assert_null(xml_child(NULL, "urn:a", "a"));
	assert_null(root->parent);
	assert_ptr_equal(b->parent, root);
	assert_string_equal(read_text("<q/>")->ns, "");
}

static void attributes_are_found_without_namespace(void **state)
{
	const struct xml_node *root = read_text("<a x='1' y='&lt;&#x41;' p:z='3' xmlns:p='urn:p'/>");

	(void)state;
	assert_string_equal(xml_attribute(root, "x"), "1");
	assert_string_equal(xml_attribute(root, "y"), "<A");
	assert_null(xml_attribute(root, "z"));
	assert_null(xml_attribute(root, "xmlns:p"));
	assert_string_equal(xml_attribute(root, "urn:p\nz"), "3");
	assert_null(xml_attribute(read_text("<a/>"), "x"));
}

static void text_is_joined_and_trimmed(void **state)
{
	const struct xml_node *root =
	    read_text("<a>\n one <b> in &amp;<![CDATA[ <x> ]]> </b>two<!-- no --> three\t<c/>\n</a>");

	(void)state;
	assert_string_equal(root->text, "one two three");
	assert_string_equal(root->first->text, "in & <x>");
	assert_string_equal(root->last->text, "");
	assert_string_equal(read_text("<a> \n </a>")->text, "");
	assert_string_equal(read_text("<a/>")->text, "");
	assert_string_equal(read_text("<a>1<b>2<c>3</c>4</b>5<b>6</b>7</a>")->text, "157");
	assert_string_equal(read_text("<a>1<b>2<c>3</c>4</b>5<b>6</b>7</a>")->last->text, "6");
}

static void encodings_become_utf8(void **state)
{
	static const char latin[] = "<?xml version='1.0' encoding='ISO-8859-1'?><a>h\xf6</a>";
	static const char utf16[] = "\xff\xfe<\0a\0>\0\xf6\0<\0/\0a\0>\0";

	(void)state;
	assert_string_equal(read_text(latin)->text, "h\xc3\xb6");
	assert_string_equal(read_bytes(utf16, sizeof utf16 - 1)->text, "\xc3\xb6");
	assert_string_equal(read_text("\xef\xbb\xbf<a>h\xc3\xb6</a>")->text, "h\xc3\xb6");
}

static void positions_are_those_of_tags(void **state)
{
	const struct xml_node *root = read_text("<?xml version='1.0'?>\n<a>\n  <b>x</b></a>\n");
	struct parse_error error;

	(void)state;
	assert_int_equal(root->line, 2);
	assert_int_equal(root->column, 1);
	assert_int_equal(root->first->line, 3);
	assert_int_equal(root->first->column, 3);
	assert_int_equal(xml_fail(root->first, &error, "found \"%s\"", root->first->text), -EINVAL);
	assert_string_equal(error.text, "found \"x\", line 3, column 3");
}

static void a_long_sentence_is_cut_before_its_position(void **state)
{
	char text[600] = "<a>", wanted[] = ", line 1, column 1";
	const struct xml_node *root;
	struct parse_error error;

	(void)state;
	for (size_t i = 3; i < 500; i += 2)
		memcpy(text + i, "\xc3\xb6", 3);
	memcpy(text + strlen(text), "</a>", 5);
	root = read_text(text);
	xml_fail(root, &error, "%s", root->text);
	assert_in_range(strlen(error.text), 100, sizeof error.text - 1);
	assert_string_equal(error.text + strlen(error.text) - strlen(wanted), wanted);
	assert_true(utf8_is_valid(error.text, strlen(error.text)));
}

static void broken_documents_are_refused(void **state)
{
	static const char *const broken[] = { "<a", "<a>", "<a></b>", "<a/><b/>", "text", "<a b='1' b='2'/>", "<p:a/>",
		"<a>&x;</a>", "<a>\xff</a>", "<a>\xc0\x80</a>", "<a>&#0;</a>", "<a b=1/>", "<a><b></a></b>",
		"<a>\x01</a>", "<?xml version='1.0' encoding='x-none'?><a/>", "<!-- only -->", "<a>]]></a>", "{}" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		check_refused(broken[i], strlen(broken[i]), ", line 1, column ");
	check_refused("<a>\0</a>", 8, ", line 1, column ");
	check_refused("<a>\n\n <b></a>", 13, ", line 3, column ");
}

static void document_types_are_refused(void **state)
{
	static const char *const types[] = { "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
		"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
		"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
		"<!DOCTYPE a [<!ENTITY % b 'c'> %b;]><a/>" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++)
		check_refused(types[i], strlen(types[i]), "document type");
}

static void nest(struct buf *b, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_puts(b, "<a>");
	for (int i = 0; i < depth; i++)
		buf_puts(b, "</a>");
}

static void depth_is_limited(void **state)
{
	const struct xml_node *n;
	struct buf b;
	int depth = 0;

	(void)state;
	buf_init(&b, 1000);
	nest(&b, XML_MAX_DEPTH);
	for (n = read_bytes(buf_text(&b), b.len); n != NULL; n = n->first)
		depth++;
	assert_int_equal(depth, XML_MAX_DEPTH);
	buf_clear(&b);
	nest(&b, XML_MAX_DEPTH + 1);
	check_refused(buf_text(&b), b.len, "too deep");
	buf_clear(&b);
	for (int i = 0; i < XML_MAX_DEPTH; i++)
		buf_puts(&b, "<a>");
	buf_puts(&b, "<b/>");
	check_refused(buf_text(&b), b.len, "too deep");
	assert_non_null(read_text("<a/>")); /* it goes on as if nothing had been */
	buf_done(&b);
}

static void size_is_limited(void **state)
{
	char *text = malloc(XML_MAX_BYTES + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', XML_MAX_BYTES + 1);
	memcpy(text, "<a>", 3);
	memcpy(text + XML_MAX_BYTES - 4, "</a>", 4);
	assert_int_equal(strlen(read_bytes(text, XML_MAX_BYTES)->text), XML_MAX_BYTES - 7);
	check_refused(text, XML_MAX_BYTES + 1, "65537 bytes");
	memset(text + 3, '\n', XML_MAX_BYTES - 7); /* each line break comes from the parser by itself */
	text[1000] = 'a';
	text[60000] = 'b';
	assert_int_equal(strlen(read_bytes(text, XML_MAX_BYTES)->text), 59001);
	free(text);
}

/* expat writes the namespace out at every element and attribute: a small document may ask for very much. */
static void namespaces_are_not_multiplied(void **state)
{
	const struct xml_node *root;
	struct buf b;

	(void)state;
	buf_init(&b, XML_MAX_BYTES + 1);
	buf_puts(&b, "<r xmlns=\"");
	for (int i = 0; i < 30000; i++)
		buf_putc(&b, 'n');
	buf_puts(&b, "\">");
	for (int i = 0; i < 8000; i++)
		buf_puts(&b, "<a/>");
	buf_puts(&b, "</r>");
	root = read_bytes(buf_text(&b), b.len);
	assert_int_equal(strlen(root->last->ns), 30000);
	assert_ptr_equal(root->last->ns, root->ns);

	buf_clear(&b);
	buf_puts(&b, "<r xmlns:p=\"");
	for (int i = 0; i < 30000; i++)
		buf_putc(&b, 'n');
	buf_puts(&b, "\">");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "<a p:b=''/>");
	buf_puts(&b, "</r>");
	check_refused(buf_text(&b), b.len, "too big");
	buf_done(&b);
	read_text("<a/>");
}

/* Together the trees are bigger than one may be. */
static void a_reader_is_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		char text[64], number[16];

		snprintf(text, sizeof text, "<a n='%d'>%d<b>x</b></a>", i, i);
		snprintf(number, sizeof number, "%d", i);
		assert_string_equal(read_text(text)->text, number);
		assert_non_null(xml_alloc(x, XML_MAX_TREE / 40));
		check_refused("<a>x<b>y", 8, "line 1");
		assert_null(read_text(" "));
	}
	assert_null(xml_alloc(x, SIZE_MAX));
}

static void texts_for_people_are_cleaned(void **state)
{
	(void)state;
	assert_non_null(read_text("<a/>"));
	assert_string_equal(xml_clean(x,
				"a\tb\nc\x7f"
				"d\xc2\x85"
				"e\xc2\xa0"
				"f",
				100),
	    "a b c d e\xc2\xa0"
	    "f");
	assert_string_equal(xml_clean(x, "", 100), "");
	assert_string_equal(xml_clean(x, "h\xc3\xb6h", 4), "h\xc3\xb6h");
	assert_string_equal(xml_clean(x, "h\xc3\xb6h", 2), "h");
	assert_string_equal(xml_clean(x, "h\xc3\xb6h", 3), "h\xc3\xb6");
	assert_string_equal(xml_clean(x, "abc", 0), "");
}

static void content_types_are_compared_without_parameters(void **state)
{
	static const char *const types[] = { "application/pidf+xml", "text/xml", NULL };

	(void)state;
	assert_true(xml_type_is("application/pidf+xml", types));
	assert_true(xml_type_is("Text/XML", types));
	assert_true(xml_type_is("text/xml;charset=utf-8", types));
	assert_true(xml_type_is("text/xml ; charset=utf-8", types));
	assert_false(xml_type_is("text/xm", types));
	assert_false(xml_type_is("text/xmlx", types));
	assert_false(xml_type_is("", types));
	assert_false(xml_type_is(";", types));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_no_tree, begin, end),
		cmocka_unit_test_setup_teardown(names_are_matched_by_namespace, begin, end),
		cmocka_unit_test_setup_teardown(attributes_are_found_without_namespace, begin, end),
		cmocka_unit_test_setup_teardown(text_is_joined_and_trimmed, begin, end),
		cmocka_unit_test_setup_teardown(encodings_become_utf8, begin, end),
		cmocka_unit_test_setup_teardown(positions_are_those_of_tags, begin, end),
		cmocka_unit_test_setup_teardown(a_long_sentence_is_cut_before_its_position, begin, end),
		cmocka_unit_test_setup_teardown(broken_documents_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(document_types_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(depth_is_limited, begin, end),
		cmocka_unit_test_setup_teardown(size_is_limited, begin, end),
		cmocka_unit_test_setup_teardown(namespaces_are_not_multiplied, begin, end),
		cmocka_unit_test_setup_teardown(a_reader_is_used_again, begin, end),
		cmocka_unit_test_setup_teardown(texts_for_people_are_cleaned, begin, end),
		cmocka_unit_test_setup_teardown(content_types_are_compared_without_parameters, begin, end),
	};

	return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
