// SPDX-License-Identifier: Apache-2.0
// The parser and schema/config.schema.json agree about configurations with mistakes, or differ as configs.h says.
#include <map>

#include "configs.h"
#include "mutations.h"
#include "spec/example.h"

namespace oci::schema {
namespace {

constexpr int mutations_by_chance = 20000;

std::vector<json> base_configurations() {
    std::vector<json> bases = {json::parse(spec::example_config(false, 0, 0)),
                               json::parse(spec::example_config(true, 1000, 1000))};
    std::vector<std::filesystem::path> files;
    for (auto const* const folder : {"tests/plans", "tests/schema"})
        for (auto const& entry : std::filesystem::directory_iterator(repository() / folder))
            if (entry.path().extension() == ".json")
                files.push_back(entry.path());
    std::ranges::sort(files); // the same mutations everywhere
    for (auto const& file : files)
        bases.push_back(read_json(file));
    return bases;
}

TEST(Bases, AreGood) {
    auto schema = Schema::of("config");
    for (auto const& base : base_configurations()) {
        EXPECT_EQ(schema.problems(base), "");
        EXPECT_EQ(read(base.dump()).problems, "");
    }
}

TEST(Bases, HaveEveryField) {
    auto const schema = Schema::of("config").text;
    std::set<std::string> there;
    for (auto const* const file : {"every_field.json", "not_supported.json"})
        walk_document(read_json(repository() / "tests/schema" / file), schema, schema, "",
                      [&](std::string const& path) { there.insert(path); });
    walk(schema, schema, "", [&](std::string const& path, json const&) { EXPECT_TRUE(there.contains(path)) << path; });
}

class Agreement : public testing::Test {
protected:
    void check(json const& document, std::string const& mistake) {
        auto const verdict = read(document.dump());
        bool const accepted = schema_.accepts(document);
        ++(accepted ? accepted_ : refused_);
        if (verdict.accepted && !accepted && !is_lenient(document))
            disagreement(mistake, "the parser takes it, the schema says: " + schema_.problems(document));
        if (!accepted)
            return;
        for (auto const* const difference : verdict.differences)
            ++used_[difference];
        if (!verdict.problems.empty())
            disagreement(mistake, "the schema takes it, the parser says: " + verdict.problems);
    }

    /// Whether the leniencies explain why only the parser takes it.
    bool is_lenient(json const& document) {
        auto without_all = document;
        for (auto const& leniency : leniencies_) {
            auto without = document;
            leniency.take_out(without);
            leniency.take_out(without_all);
            if (!schema_.accepts(without))
                continue;
            ++used_[leniency.what];
            return true;
        }
        return schema_.accepts(without_all);
    }

    void disagreement(std::string const& mistake, std::string const& text) {
        constexpr int most_shown = 20;
        if (++disagreements_ <= most_shown)
            ADD_FAILURE() << mistake << ": " << text;
    }

    Schema schema_ = Schema::of("config");
    std::vector<Leniency> leniencies_ = leniencies();
    std::map<std::string, int> used_;
    int accepted_ = 0;
    int refused_ = 0;
    int disagreements_ = 0;
};

TEST_F(Agreement, OfParserAndSchema) {
    for (auto const* const file : {"every_field.json", "other_choices.json", "not_supported.json"})
        each_mistake(read_json(repository() / "tests/schema" / file), schema_.text,
                     [&](json const& document, std::string const& mistake) { check(document, mistake); });
    auto const bases = base_configurations();
    Mutator mutator;
    for (int i = 0; i < mutations_by_chance; ++i) {
        auto const document = mutator.mutate(mutator.dice.pick(bases));
        check(document, mutator.log);
    }
    EXPECT_EQ(disagreements_, 0);
    EXPECT_GT(accepted_, 5000);
    EXPECT_GT(refused_, 5000);
    for (auto const& difference : differences)
        EXPECT_GT(used_[difference.problem], 0) << difference.problem << " is not needed";
    for (auto const& leniency : leniencies_)
        EXPECT_GT(used_[leniency.what], 0) << leniency.what << " is not needed";
    RecordProperty("accepted", accepted_);
    RecordProperty("refused", refused_);
}

} // namespace
} // namespace oci::schema
