// SPDX-License-Identifier: Apache-2.0
// For tests of schema/: a JSON Schema that documents are held against, and a walk over what it describes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace oci::schema {

using nlohmann::json;

inline std::string read_file(std::filesystem::path const& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Discarded, if it is no JSON.
inline json read_json(std::filesystem::path const& path) {
    return json::parse(read_file(path), nullptr, false);
}

inline std::filesystem::path repository() {
    return OCI_RUN_REPOSITORY;
}

/// The validator reads every integer as a std::int64_t: what does not fit becomes the nearest number it can read.
inline json narrowed(json value, json const& greatest) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
        return greatest;
    if (value.is_structured())
        for (auto& member : value)
            member = narrowed(std::move(member), greatest);
    return value;
}

class Schema {
public:
    explicit Schema(std::filesystem::path const& file)
        : text(read_json(file)) {
        auto const read = [](std::filesystem::path const& path) { return narrowed(read_json(path), 0x1p64); };
        auto const fetch = [&](std::string const& name) { return new json(read(file.parent_path() / name)); };
        auto const free = [](json const* document) { delete document; };
        auto const document = read(file);
        valijson::SchemaParser(valijson::SchemaParser::kDraft7)
            .populateSchema<valijson::adapters::NlohmannJsonAdapter>(valijson::adapters::NlohmannJsonAdapter(document),
                                                                     schema_, fetch, free);
    }

    static Schema of(std::string const& name) { return Schema(repository() / "schema" / (name + ".schema.json")); }

    bool accepts(json const& document) { return check(document, nullptr); }

    /// What is wrong with the document, a line for each; "" if it is accepted.
    std::string problems(json const& document) {
        valijson::ValidationResults results;
        std::string lines;
        if (check(document, &results))
            return lines;
        for (auto const& error : results) {
            // Every level above says that something below is wrong.
            if (error.description.starts_with("Failed to validate"))
                continue;
            for (auto const& part : error.context)
                lines += part;
            lines += ": " + error.description + "\n";
        }
        return lines.empty() ? "refused" : lines;
    }

    json const text;

private:
    bool check(json const& document, valijson::ValidationResults* results) {
        auto const readable = narrowed(document, std::numeric_limits<std::int64_t>::max());
        return validator_.validate(schema_, valijson::adapters::NlohmannJsonAdapter(readable), results);
    }

    valijson::Schema schema_;
    // Strong: "1" is no number.
    valijson::Validator validator_{valijson::Validator::kStrongTypes};
};

/// The schema behind `$ref`s.
inline json const& resolved(json const& schema, json const& root) {
    auto const reference = schema.find("$ref");
    if (reference == schema.end())
        return schema;
    return resolved(root.at(json::json_pointer(reference->get<std::string>().substr(1))), root);
}

/// Calls `visit` with the path of every property below `schema` ("/mounts/*/options") and its place in the schema,
/// before references are resolved. Elements of arrays and members of maps are "*".
inline void walk(json const& schema, json const& root, std::string const& path,
                 std::function<void(std::string const&, json const&)> const& visit) {
    auto const& here = resolved(schema, root);
    if (auto const properties = here.find("properties"); properties != here.end())
        for (auto const& [name, property] : properties->items()) {
            visit(path + "/" + name, property);
            walk(property, root, path + "/" + name, visit);
        }
    for (auto const* const others : {"items", "additionalProperties"})
        if (auto const found = here.find(others); found != here.end() && found->is_object())
            walk(*found, root, path + "/*", visit);
}

/// The names at the leaves and branches of a document, with "*" for elements and members of maps, as walk() has them.
inline void walk_document(json const& document, json const& schema, json const& root, std::string const& path,
                          std::function<void(std::string const&)> const& visit) {
    auto const& here = resolved(schema, root);
    json const none = json::object();
    auto const others = here.find(document.is_array() ? "items" : "additionalProperties");
    json const& other = others != here.end() && others->is_object() ? *others : none;
    for (auto const& [name, value] : document.items()) {
        bool const is_property =
            document.is_object() && here.contains("properties") && here["properties"].contains(name);
        auto const below = path + "/" + (is_property || &other == &none ? name : "*");
        visit(below);
        if (value.is_structured())
            walk_document(value, is_property ? here["properties"][name] : other, root, below, visit);
    }
}

/// The folder of the specification's Go module, which has its schemas and samples; "" where the tests were not told.
inline std::filesystem::path specification() {
    auto const* const folder = std::getenv("OCI_RUNTIME_SPEC");
    return folder == nullptr ? "" : folder;
}

} // namespace oci::schema

/// Ends a test that needs the specification's files where they are not there; in CI it has failed then.
#define NEED_SPECIFICATION()                                                                                           \
    if (oci::schema::specification().empty()) {                                                                        \
        if (auto const* const ci = std::getenv("CI"); ci != nullptr && std::string_view(ci) == "true")                 \
            FAIL() << "OCI_RUNTIME_SPEC is not set: tests/run.sh schema";                                              \
        GTEST_SKIP() << "OCI_RUNTIME_SPEC is not set, the folder of the specification's files: tests/run.sh schema";   \
    }
