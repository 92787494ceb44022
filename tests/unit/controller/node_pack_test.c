#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/gate.h"
#include "controller/node_pack.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void round_trip(const struct node *node)
{
    struct err err = {""};
    struct node back;
    char *text = node_pack(node);

    assert_non_null(text);
    if (!node_unpack(text, strlen(text), &back, &err))
        fail_msg("%s: %s", text, err.text);
    assert_memory_equal(node, &back, sizeof back);
    free(text);
}

/* Every member with its highest value; padding is zero on both sides. */
static struct node full_node(void)
{
    struct node node;

    memset(&node, 0, sizeof node);
    node.out_mask = UINT64_MAX;
    node.prior_drain_mask = (uint64_t)1 << 63;
    node.peers_mask = 0x8000000000000001;
    node.claim_fence = UINT64_MAX;
    node.before.pid = 4711;
    node.before.start_ticks = UINT64_MAX;
    node.now.pid = UINT32_MAX;
    for (size_t i = 0; i < sizeof node.now.boot; i++)
        node.now.boot[i] = (uint8_t)(0xa5 + i);
    for (size_t i = 0; i < sizeof node.now.sha256; i++)
        node.now.sha256[i] = (uint8_t)i;
    node.left_ms = node.next_ask_ms = node.healthy_ms = node.generation = UINT32_MAX;
    node.id = UINT16_MAX;
    node.step = STEP_COUNT - 1;
    node.outcome = OUTCOME_BACK;
    node.why = WHY_COUNT - 1;
    node.why_step = STEP_QUIET;
    node.streak = node.attempt = UINT8_MAX;
    node.job = ASK_COUNT - 1;
    node.asked = node.noted = node.doubt = node.claimed = node.failed = node.stopping = node.reverse =
        node.claim_stays = true;
    memset(node.goal, 0xee, sizeof node.goal);
    node.gate = GATE_COUNT - 1;
    node.anew = node.theirs = node.loose = true;
    return node;
}

static void a_state_comes_back_whole(void **state)
{
    struct node node = full_node();

    (void)state;
    round_trip(&node);
    memset(&node, 0, sizeof node);
    round_trip(&node);
    for (int i = 0; i < STEP_COUNT; i++) {
        node.step = (uint8_t)i;
        round_trip(&node);
    }
}

/* Each byte of the struct shows in the text but the padding in each ident and behind the last member. A member that was
 * added to struct node and not to node_pack.c's table raises the count. */
static void no_member_is_left_out(void **state)
{
    struct node full = full_node(), node, other;
    size_t forgotten = 0;
    char *whole, *text;

    (void)state;
    memset(&node, 0xff, sizeof node);
    node.step = full.step;
    node.outcome = full.outcome;
    node.why = full.why;
    node.why_step = full.why_step;
    node.job = full.job;
    node.gate = full.gate;
    whole = node_pack(&node);
    for (size_t i = 0; i < sizeof node; i++) {
        memcpy(&other, &node, sizeof node);
        ((uint8_t *)&other)[i] = 0;
        text = node_pack(&other);
        forgotten += strcmp(text, whole) == 0;
        free(text);
    }
    free(whole);
    assert_int_equal(forgotten, 2 * (sizeof(struct ident) - 60) + sizeof node - offsetof(struct node, loose) - 1);
}

static void enums_are_names_and_zeros_are_left_out(void **state)
{
    struct node node;
    char *text;

    (void)state;
    memset(&node, 0, sizeof node);
    node.id = 3;
    node.step = STEP_QUIET;
    node.why = WHY_DRAIN;
    node.out_mask = 5;
    node.before.pid = 7;
    text = node_pack(&node);
    assert_string_equal(
        text, "{\"v\":2,\"id\":3,\"step\":\"QUIET\",\"why\":\"DRAIN\",\"out_mask\":5,\"before\":{\"pid\":7}}");
    free(text);
    assert_int_equal(node_step_of_key("QUIET"), STEP_QUIET);
    assert_int_equal(node_step_of_key("LUNCH"), -1);
}

static void what_is_no_state_is_refused_with_a_reason(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"v\":9}",
        "{\"v\":2,\"step\":\"LUNCH\"}",
        "{\"v\":2,\"step\":3}",
        "{\"v\":2,\"id\":65536}",
        "{\"v\":2,\"id\":-1}",
        "{\"v\":2,\"streak\":256}",
        "{\"v\":2,\"asked\":1}",
        "{\"v\":2,\"before\":7}",
        "{\"v\":2,\"now\":{\"boot\":\"00\"}}",
        "{\"v\":2,\"now\":{\"boot\":\"0000000000000000000000000000000G\"}}",
        "{\"v\":2,\"id\":1,\"id\":2}",
    };
    static const struct node zero;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct err err = {""};
        struct node node;

        if (node_unpack(texts[i], strlen(texts[i]), &node, &err))
            fail_msg("%s was taken", texts[i]);
        if (err.text[0] == '\0')
            fail_msg("%s: no reason", texts[i]);
        assert_memory_equal(&node, &zero, sizeof zero);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back_whole),
        cmocka_unit_test(no_member_is_left_out),
        cmocka_unit_test(enums_are_names_and_zeros_are_left_out),
        cmocka_unit_test(what_is_no_state_is_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
